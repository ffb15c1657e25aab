//! Which pod, container and systemd unit a process belongs to, by the path of its cgroup.

use crate::Holder;

/// What stands before the id in the name of a container's systemd scope.
const SCOPES: [&str; 4] = ["cri-containerd", "crio", "docker", "libpod"];

impl Holder {
    /// A process with its pod, container and unit as the path of its cgroup tells them.
    ///
    /// Paths may be relative and may begin with anything: nested hosts put their own
    /// directories in front, so the innermost pod, container and unit count. A pod UID has
    /// its dashes whatever the driver wrote; that of a static pod is 32 hex digits.
    pub fn from_cgroup(name: &str, pid: Option<u32>, path: &str) -> Self {
        let mut holder = Self {
            name: name.to_owned(),
            pid,
            gid: None,
            pod_uid: None,
            container: None,
            unit: None,
        };
        let mut before = ["", ""];
        for dir in path.split('/').filter(|dir| !dir.is_empty()) {
            if let Some(uid) = pod_of(dir, before) {
                holder.pod_uid = Some(uid);
                holder.container = None;
            }
            let is_inside = holder.pod_uid.is_some() || before[1] == "docker";
            if let Some(id) = container_of(dir, is_inside) {
                holder.container = Some(id.to_owned());
            } else if matches!(dir.rsplit_once('.'), Some((_, "service" | "scope"))) {
                holder.unit = Some(dir.to_owned());
            }
            before = [before[1], dir];
        }
        holder
    }
}

/// The pod that a directory belongs to; `before` are the two directories above it.
fn pod_of(dir: &str, before: [&str; 2]) -> Option<String> {
    if let Some((slice, _)) = dir.split_once(".slice") {
        let (class, uid) = slice.rsplit_once("-pod")?;
        let class = class
            .strip_suffix("-burstable")
            .or_else(|| class.strip_suffix("-besteffort"))
            .unwrap_or(class);
        let uid = uid.replace('_', "-");
        return (class.ends_with("kubepods") && is_uid(&uid)).then_some(uid);
    }
    let parent = if matches!(before[1], "burstable" | "besteffort") {
        before[0]
    } else {
        before[1]
    };
    let uid = dir.strip_prefix("pod")?;
    (parent.ends_with("kubepods") && is_uid(uid)).then(|| uid.to_owned())
}

/// The container id in a directory's name; a bare id counts only where containers live.
fn container_of(dir: &str, is_inside: bool) -> Option<&str> {
    // containerd told to use the wrong cgroup driver makes `SLICE:cri-containerd:ID`.
    let last = dir.rsplit(':').next().unwrap_or(dir);
    if is_inside && is_container(last) {
        return Some(last);
    }
    let (kind, id) = dir.strip_suffix(".scope").unwrap_or(dir).rsplit_once('-')?;
    // Not `crio-conmon-ID`, which is the watcher outside of the container.
    (SCOPES.iter().any(|scope| kind.ends_with(scope)) && is_container(id)).then_some(id)
}

fn is_container(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(is_hex)
}

/// A UID as the API server makes them, or the digest that stands for one in a static pod.
fn is_uid(text: &str) -> bool {
    let is_dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    match text.len() {
        32 => text.bytes().all(is_hex),
        36 => text
            .bytes()
            .enumerate()
            .all(|(at, b)| if is_dash(at) { b == b'-' } else { is_hex(b) }),
        _ => false,
    }
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0a1b2c3d-1111-2222-3333-0123456789ab";
    const STATIC: &str = "0123456789abcdef0123456789abcdef";
    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// Pod, container and unit, `-` for none.
    fn of(path: &str) -> String {
        let holder = Holder::from_cgroup("x", None, path);
        let part = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
        let (pod, container) = (part(holder.pod_uid), part(holder.container));
        format!("{pod} {container} {}", part(holder.unit))
    }

    #[test]
    fn the_systemd_driver_writes_underscores_for_dashes() {
        let uid = UID.replace('-', "_");
        let path = format!(
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid}.slice/cri-containerd-{ID}.scope"
        );
        assert_eq!(of(&path), format!("{UID} {ID} -"));
    }

    #[test]
    fn guaranteed_pods_have_no_class_in_either_driver() {
        let uid = UID.replace('-', "_");
        let path = format!("/kubepods.slice/kubepods-pod{uid}.slice/crio-{ID}.scope");
        assert_eq!(of(&path), format!("{UID} {ID} -"));
        assert_eq!(
            of(&format!("/kubepods/pod{UID}/{ID}")),
            format!("{UID} {ID} -")
        );
    }

    #[test]
    fn a_static_pod_of_the_cgroupfs_driver_has_a_digest_for_uid() {
        let path = format!("/kubepods/burstable/pod{STATIC}/{ID}");
        assert_eq!(of(&path), format!("{STATIC} {ID} -"));
    }

    #[test]
    fn the_innermost_pod_and_container_count() {
        let uid = UID.replace('-', "_");
        let path = format!(
            "/system.slice/docker-{}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod{uid}.slice/cri-containerd-{ID}.scope",
            ID.replace('0', "f")
        );
        assert_eq!(of(&path), format!("{UID} {ID} -"));
    }

    #[test]
    fn containerd_with_the_wrong_driver_is_read_too() {
        let uid = UID.replace('-', "_");
        let path = format!("/system.slice/kubepods-burstable-pod{uid}.slice:cri-containerd:{ID}");
        assert_eq!(of(&path), format!("{UID} {ID} -"));
    }

    #[test]
    fn the_watcher_of_a_container_is_not_in_it() {
        let path = format!("/machine.slice/crio-conmon-{ID}.scope");
        assert_eq!(of(&path), format!("- - crio-conmon-{ID}.scope"));
    }

    #[test]
    fn docker_alone_needs_no_pod() {
        assert_eq!(of(&format!("/docker/{ID}")), format!("- {ID} -"));
        let path = format!("/system.slice/docker-{ID}.scope");
        assert_eq!(of(&path), format!("- {ID} -"));
    }

    #[test]
    fn a_unit_is_the_innermost_service_or_scope() {
        assert_eq!(of("/system.slice/sshd.service"), "- - sshd.service");
        let path = "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service";
        assert_eq!(of(path), "- - web.service");
        assert_eq!(of("/../.."), "- - -");
        assert_eq!(of("unreachable:1"), "- - -");
    }

    #[test]
    fn a_name_that_only_looks_like_a_pod_is_none() {
        assert_eq!(of("/kubepods/burstable/podless"), "- - -");
        assert_eq!(of(&format!("/elsewhere/pod{UID}/{ID}")), "- - -");
    }
}
