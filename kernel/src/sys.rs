//! The system calls that `rustix` has no safe form of; the only file with `unsafe`.
//!
//! Every function here is safe to call with any arguments: buffers carry their lengths, and
//! descriptors are borrowed or owned.

#![expect(unsafe_code, reason = "system calls without a safe wrapper")]

use std::ffi::{c_int, c_long};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::thread::UnshareFlags;

/// A netlink socket option that is switched on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NetlinkOption {
    /// Errors carry the kernel's text.
    ExtendedAck = libc::NETLINK_EXT_ACK as isize,
    /// Errors do not echo the whole request.
    CappedAck = libc::NETLINK_CAP_ACK as isize,
    /// Dump requests are checked and filtered.
    StrictCheck = libc::NETLINK_GET_STRICT_CHK as isize,
}

/// Switches on an option of a netlink socket.
pub(crate) fn set_netlink_option(socket: BorrowedFd<'_>, option: NetlinkOption) -> io::Result<()> {
    let on: c_int = 1;
    // SAFETY: the pointer and the length describe `on`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_NETLINK,
            option as c_int,
            (&raw const on).cast(),
            size_of::<c_int>() as libc::socklen_t,
        )
    };
    check(result.into()).map(drop)
}

/// Reads a socket option into `buffer`, whose contents the kernel reads first where the
/// option has arguments. Returns how many bytes the answer has.
pub(crate) fn socket_option(
    socket: BorrowedFd<'_>,
    level: c_int,
    option: c_int,
    buffer: &mut [u8],
) -> io::Result<usize> {
    let mut len = libc::socklen_t::try_from(buffer.len())
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: `len` is the length of `buffer`, which is writable and outlives the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            option,
            buffer.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    check(result.into()).map(|_| len as usize)
}

/// Moves the calling thread, and no other, into a new network namespace.
pub(crate) fn unshare_network() -> io::Result<()> {
    // SAFETY: only the network namespace is unshared. Descriptors, memory and file system
    // attributes stay shared, so no other thread's assumptions break.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }.map_err(io::Error::from)
}

/// The handle type of kernfs: the inode number alone.
/// Kernel: `FILEID_KERNFS` (include/linux/exportfs.h).
const FILEID_KERNFS: c_int = 0xfe;

#[repr(C)]
struct CgroupHandle {
    handle_bytes: libc::c_uint,
    handle_type: c_int,
    id: u64,
}

/// Opens a cgroup by its number. `mount` is any directory of the cgroup v2 file system.
pub(crate) fn open_cgroup(mount: BorrowedFd<'_>, id: u64) -> io::Result<OwnedFd> {
    let mut handle = CgroupHandle {
        handle_bytes: 8,
        handle_type: FILEID_KERNFS,
        id,
    };
    // SAFETY: `CgroupHandle` has the layout of `struct file_handle` with the 8 bytes that
    // `handle_bytes` promises, and outlives the call.
    let fd = unsafe {
        libc::open_by_handle_at(
            mount.as_raw_fd(),
            (&raw mut handle).cast(),
            libc::O_PATH | libc::O_CLOEXEC,
        )
    };
    check(fd.into())?;
    // SAFETY: the kernel has just returned this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Kernel: `enum bpf_cmd` (include/uapi/linux/bpf.h).
const BPF_PROG_GET_NEXT_ID: c_long = 11;
const BPF_PROG_GET_FD_BY_ID: c_long = 13;
const BPF_OBJ_GET_INFO_BY_FD: c_long = 15;
const BPF_PROG_QUERY: c_long = 16;

/// What a BPF program hangs on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BpfTarget<'a> {
    /// A network device, by index.
    Device(u32),
    /// A cgroup or a network namespace.
    File(BorrowedFd<'a>),
}

/// `struct bpf_prog_info` up to the name.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BpfProgram {
    pub(crate) kind: u32,
    pub(crate) id: u32,
    unused: [u64; 7],
    pub(crate) name: [u8; 16],
}

/// The ids of the programs attached to `target` at `attach_type`: at most 64.
pub(crate) fn bpf_attached(target: BpfTarget<'_>, attach_type: u32) -> io::Result<Vec<u32>> {
    #[repr(C)]
    struct Query {
        target: u32,
        attach_type: u32,
        query_flags: u32,
        attach_flags: u32,
        ids: u64,
        count: u32,
        unused: u32,
        more: [u64; 4],
    }
    let mut ids = [0_u32; 64];
    let mut query = Query {
        target: match target {
            BpfTarget::Device(index) => index,
            BpfTarget::File(fd) => fd.as_raw_fd().cast_unsigned(),
        },
        attach_type,
        query_flags: 0,
        attach_flags: 0,
        ids: ids.as_mut_ptr() as u64,
        count: 64,
        unused: 0,
        more: [0; 4],
    };
    // SAFETY: `Query` is the head of `union bpf_attr` for this command; `ids` has room for
    // `count` numbers, and both outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_QUERY,
            &raw mut query,
            size_of::<Query>(),
        )
    };
    match check(result) {
        Ok(_) => {}
        // ENOSPC: there are more; the first 64 are enough to say that there are some.
        Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => {}
        Err(error) => return Err(error),
    }
    Ok(ids[..ids.len().min(query.count as usize)].to_vec())
}

/// The id of the first program after `id`; none after the last.
pub(crate) fn bpf_next_program(id: u32) -> io::Result<Option<u32>> {
    let mut request = [id, 0, 0];
    // SAFETY: `request` is the head of `union bpf_attr` for this command.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_GET_NEXT_ID,
            request.as_mut_ptr(),
            size_of_val(&request),
        )
    };
    match check(result) {
        Ok(_) => Ok(Some(request[1])),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the kernel tells of a program.
pub(crate) fn bpf_program(id: u32) -> io::Result<BpfProgram> {
    let mut request = [id, 0, 0];
    // SAFETY: `request` is the head of `union bpf_attr` for this command.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_GET_FD_BY_ID,
            request.as_mut_ptr(),
            size_of_val(&request),
        )
    };
    let fd = RawFd::try_from(check(result)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just returned this descriptor, and nobody else knows it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };

    #[repr(C)]
    struct InfoRequest {
        fd: u32,
        len: u32,
        info: u64,
    }
    let mut info = BpfProgram::default();
    let mut request = InfoRequest {
        fd: fd.as_raw_fd().cast_unsigned(),
        len: size_of::<BpfProgram>() as u32,
        info: (&raw mut info) as u64,
    };
    // SAFETY: `info` has the `len` bytes promised, is zeroed, so that the kernel follows no
    // pointer in it, and outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_OBJ_GET_INFO_BY_FD,
            &raw mut request,
            size_of::<InfoRequest>(),
        )
    };
    check(result).map(|_| info)
}

fn check(result: c_long) -> io::Result<c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
