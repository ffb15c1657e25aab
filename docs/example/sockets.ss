Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:Port Process
udp   UNCONN 0      0            0.0.0.0:68         0.0.0.0:*     users:(("dhclient",pid=512,fd=6)) ino:11873 sk:1 <->
tcp   LISTEN 0      128          0.0.0.0:22         0.0.0.0:*     users:(("sshd",pid=701,fd=3)) ino:14410 sk:2 <->
tcp   LISTEN 0      5            0.0.0.0:30584      0.0.0.0:*     users:(("python3",pid=16140,fd=3)) ino:88213 sk:3 <->
tcp   LISTEN 0      4096       127.0.0.1:10248      0.0.0.0:*     users:(("kubelet",pid=980,fd=22)) ino:20971 sk:4 <->
