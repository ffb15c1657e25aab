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
            len_of::<c_int>(),
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

/// A set of signals, blocked for the calling thread and the threads it starts; what was
/// blocked before comes back with [`unblock_signals`].
pub(crate) fn block_signals(signals: &[c_int]) -> io::Result<(OwnedFd, libc::sigset_t)> {
    let mut set = empty_signals();
    let mut before = empty_signals();
    for signal in signals {
        // SAFETY: `set` is initialized and writable; a number that is no signal is refused.
        check(unsafe { libc::sigaddset(&raw mut set, *signal) }.into())?;
    }
    // SAFETY: `set` outlives the call. A new descriptor comes of it, which is ours alone.
    let fd = unsafe {
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        let fd = check(libc::signalfd(-1, &raw const set, flags).into())?;
        OwnedFd::from_raw_fd(RawFd::try_from(fd).map_err(io::Error::other)?)
    };
    // SAFETY: both sets are initialized and outlive the call.
    let error = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, &raw mut before) };
    if error == 0 {
        Ok((fd, before))
    } else {
        Err(io::Error::from_raw_os_error(error))
    }
}

/// Blocks the signals of `before` and no others for the calling thread.
pub(crate) fn unblock_signals(before: &libc::sigset_t) {
    // SAFETY: `before` is an initialized set and outlives the call; no old one is asked for.
    let _ = unsafe {
        libc::pthread_sigmask(
            libc::SIG_SETMASK,
            std::ptr::from_ref(before),
            std::ptr::null_mut(),
        )
    };
}

fn empty_signals() -> libc::sigset_t {
    // SAFETY: a signal set is plain memory that `sigemptyset` fills.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        set
    }
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

/// Kernel: `enum bpf_cmd` (include/uapi/linux/bpf.h).
const BPF_PROG_GET_NEXT_ID: c_long = 11;
const BPF_PROG_GET_FD_BY_ID: c_long = 13;
const BPF_OBJ_GET_INFO_BY_FD: c_long = 15;
const BPF_PROG_QUERY: c_long = 16;

/// `union bpf_attr` for `BPF_PROG_QUERY`.
#[repr(C)]
struct BpfQuery {
    target: u32,
    attach_type: u32,
    query: u32,
    flags: u32,
    ids: u64,
    count: u32,
    unused: u32,
    more: [u64; 4],
}

/// `union bpf_attr` for `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct BpfInfo {
    fd: u32,
    len: u32,
    info: u64,
}

/// The ids of the programs attached to `target` at `attach_type`: at most 64.
pub(crate) fn bpf_attached(target: BpfTarget<'_>, attach_type: u32) -> io::Result<Vec<u32>> {
    let mut ids = [0_u32; 64];
    let mut query = BpfQuery {
        target: match target {
            BpfTarget::Device(index) => index,
            BpfTarget::File(fd) => fd.as_raw_fd().cast_unsigned(),
        },
        attach_type,
        query: 0,
        flags: 0,
        ids: ids.as_mut_ptr() as u64,
        count: 64,
        unused: 0,
        more: [0; 4],
    };
    // SAFETY: `BpfQuery` is the attribute of this command; `ids` has room for `count` numbers
    // and outlives the call.
    match unsafe { bpf(BPF_PROG_QUERY, &mut query) } {
        Ok(_) => {}
        // There are more; the first 64 are enough to say that there are some.
        Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => {}
        Err(error) => return Err(error),
    }
    Ok(ids[..ids.len().min(query.count as usize)].to_vec())
}

/// The id of the first program after `id`; none after the last.
pub(crate) fn bpf_next_program(id: u32) -> io::Result<Option<u32>> {
    let mut ids = [id, 0, 0];
    // SAFETY: the attribute of this command is these three numbers.
    match unsafe { bpf(BPF_PROG_GET_NEXT_ID, &mut ids) } {
        Ok(_) => Ok(Some(ids[1])),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the kernel tells of a program.
pub(crate) fn bpf_program(id: u32) -> io::Result<BpfProgram> {
    // SAFETY: the attribute of this command is these three numbers.
    let fd = unsafe { bpf(BPF_PROG_GET_FD_BY_ID, &mut [id, 0, 0]) }?;
    let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just returned this descriptor, and nobody else knows it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut program = BpfProgram::default();
    let mut request = BpfInfo {
        fd: fd.as_raw_fd().cast_unsigned(),
        len: len_of::<BpfProgram>(),
        info: (&raw mut program) as u64,
    };
    // SAFETY: `BpfInfo` is the attribute of this command; `program` has the `len` bytes
    // promised, is zeroed, so that the kernel follows no pointer in it, and outlives the call.
    unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &mut request) }?;
    Ok(program)
}

/// # Safety
/// `attribute` is what `command` takes, and the addresses in it are those of live buffers.
unsafe fn bpf<T>(command: c_long, attribute: &mut T) -> io::Result<c_long> {
    let size = c_long::from(len_of::<T>());
    // SAFETY: the pointer and the size describe `attribute`; the rest is the caller's promise.
    check(unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attribute, size) })
}

/// The size of a small type as the kernel wants it.
fn len_of<T>() -> u32 {
    u32::try_from(size_of::<T>()).expect("arguments of system calls are small")
}

fn check(result: c_long) -> io::Result<c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
