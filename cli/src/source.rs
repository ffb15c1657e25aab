//! Where the client is: the meaning of `--from`.

use std::net::IpAddr;

use anyhow::{Context as _, bail};
use net::Family;
use service::{Catalog, PodName};
use trace::Origin;

/// A source as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// What `trace` knows by itself.
    Origin(Origin),
    /// A pod by name.
    Pod(PodName),
}

impl Source {
    /// Reads `--from`; with `pod` the pod's name is taken out of `words`, which hold the
    /// target.
    pub(crate) fn parse(from: Option<&str>, words: &mut Vec<String>) -> anyhow::Result<Self> {
        let Some(from) = from else {
            return Ok(Self::Origin(Origin::Everywhere));
        };
        let origin = match from {
            "local" => Origin::Local,
            "outside" => Origin::Outside,
            "pods" => Origin::Pods,
            "pod" => return pod_in(words),
            text => match text.parse() {
                Ok(addr) => Origin::Address(addr),
                Err(_) => return pod(text),
            },
        };
        Ok(Self::Origin(origin))
    }

    /// The origin of a question to an address of this family.
    pub(crate) fn origin(&self, family: Family, catalog: &Catalog) -> anyhow::Result<Origin> {
        let name = match self {
            Self::Origin(origin) => return Ok(origin.clone()),
            Self::Pod(name) => name,
        };
        let pod = catalog.pod(name).with_context(|| {
            format!(
                "why: the address of pod {name} is not known: give --manifests DIR with the pod, \
                 or --from ADDRESS"
            )
        })?;
        if pod.host_network {
            return Ok(Origin::Local);
        }
        let of_family = |addr: &&IpAddr| Family::of(**addr) == family;
        match pod.addrs.iter().find(of_family) {
            Some(addr) => Ok(Origin::Address(*addr)),
            None => bail!("why: pod {name} has no {family} address: ask about one it can reach"),
        }
    }
}

fn pod(text: &str) -> anyhow::Result<Source> {
    if let Some((addr, _)) = text.split_once('/')
        && addr.parse::<IpAddr>().is_ok()
    {
        bail!("why: cannot ask about all of {text}: give --from one ADDRESS of it, such as {addr}");
    }
    let named = text.strip_prefix("pod:").or(text.strip_prefix("pod "));
    let name = named.unwrap_or(text).trim().parse();
    match name {
        Ok(name) => Ok(Source::Pod(name)),
        Err(_) => bail!(
            "why: cannot read --from `{text}`: give an ADDRESS, local, outside, pods, or pod \
             NAMESPACE/NAME"
        ),
    }
}

/// The first of `words` that names a pod and is not the name of a Service.
fn pod_in(words: &mut Vec<String>) -> anyhow::Result<Source> {
    let is_free = |i: usize| i == 0 || words[i - 1] != "service";
    let found = (0..words.len()).find(|&i| is_free(i) && words[i].parse::<PodName>().is_ok());
    match found {
        Some(i) if words.len() > 1 => pod(&words.remove(i)),
        _ => bail!("why: --from pod needs the pod's NAMESPACE/NAME"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(from: &str, target: &str) -> (Result<Source, String>, String) {
        let mut words: Vec<String> = target.split(' ').map(str::to_owned).collect();
        let source = Source::parse(Some(from), &mut words).map_err(|e| e.to_string());
        (source, words.join(" "))
    }

    #[test]
    fn a_pod_may_stand_before_or_behind_the_target() {
        let pod = Source::Pod("shop/a".parse().unwrap());
        for target in ["10.0.0.1:80 shop/a", "shop/a 10.0.0.1:80"] {
            let parsed = parse("pod", target);
            assert_eq!(parsed, (Ok(pod.clone()), "10.0.0.1:80".to_owned()));
        }
        let parsed = parse("pod", "service shop/web shop/a");
        assert_eq!(parsed, (Ok(pod.clone()), "service shop/web".to_owned()));
        for one_word in ["pod:shop/a", "pod shop/a", "shop/a"] {
            assert_eq!(parse(one_word, "80"), (Ok(pod.clone()), "80".to_owned()));
        }
    }

    #[test]
    fn a_pod_needs_a_name() {
        let (error, _) = parse("pod", "10.0.0.1:80");
        assert_eq!(
            error.unwrap_err(),
            "why: --from pod needs the pod's NAMESPACE/NAME"
        );
    }

    #[test]
    fn an_unknown_pod_says_where_its_address_could_come_from() {
        let (source, _) = parse("pod:shop/a", "80");
        let error = source.unwrap().origin(Family::V4, &Catalog::default());
        assert_eq!(
            error.unwrap_err().to_string(),
            "why: the address of pod shop/a is not known: give --manifests DIR with the pod, or \
             --from ADDRESS"
        );
    }
}
