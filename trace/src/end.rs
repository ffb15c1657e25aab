//! How a connection ends, and what is known of it from its request.

use std::net::IpAddr;
use std::rc::Rc;

use net::Endpoint;

use crate::answer::{Cause, Client, Server, Verdict};
use crate::errno;
use crate::packet::State;

/// How the connections of a state end.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) state: State,
    /// How many steps belong to the request.
    pub(crate) request: usize,
    pub(crate) verdict: Verdict,
    pub(crate) client: Client,
    pub(crate) cause: Cause,
    pub(crate) to: Option<Endpoint>,
    pub(crate) oif: Option<String>,
    pub(crate) seen_source: Option<IpAddr>,
    pub(crate) masquerade: bool,
    pub(crate) server: Option<Server>,
    /// What is not known.
    pub(crate) unknown: Option<Rc<str>>,
}

/// What is known of a connection from its request.
pub(crate) struct Facts<'a> {
    pub(crate) request: &'a State,
    pub(crate) server: Option<Server>,
    pub(crate) oif: Option<String>,
}

impl Facts<'_> {
    pub(crate) fn success(&self, state: State) -> End {
        if self.server.is_some() {
            End::new(state, Verdict::Delivered, Client::Connected, Cause::Socket)
        } else {
            End::new(
                state,
                Verdict::Forwarded,
                Client::WhateverAnswers,
                Cause::Leaves,
            )
        }
    }

    /// Adds to an end where the request had come to.
    pub(crate) fn complete(&self, mut end: End) -> End {
        let packet = &self.request.packet;
        let mut request = self.request.clone();
        (request.addr, request.port) = (end.state.addr.clone(), end.state.port.clone());
        end.request = self.request.steps().len();
        end.to = request
            .ip(&packet.dst)
            .zip(request.known_port(&packet.dport))
            .map(|(addr, port)| Endpoint { addr, port });
        end.oif.clone_from(&self.oif);
        end.server.clone_from(&self.server);
        let snat = request.conn.as_ref().and_then(|conn| conn.snat.as_ref());
        if let Some(binding) = snat.filter(|binding| binding.changes) {
            end.seen_source = request.ip(&binding.addr);
            end.masquerade = true;
        }
        end
    }
}

impl End {
    pub(crate) fn new(state: State, verdict: Verdict, client: Client, cause: Cause) -> Self {
        Self {
            request: state.steps().len(),
            state,
            verdict,
            client,
            cause,
            to: None,
            oif: None,
            seen_source: None,
            masquerade: false,
            server: None,
            unknown: None,
        }
    }

    pub(crate) fn unknown(state: State, why: Rc<str>) -> Self {
        let mut end = Self::new(state, Verdict::Unknown, Client::Unknown, Cause::Gap);
        end.unknown = Some(why);
        end
    }

    /// A local process is told at once that there is no way.
    pub(crate) fn no_way(state: State, cause: Cause) -> Self {
        let client = errno::at_once(&cause);
        Self::new(state, Verdict::Rejected, client, cause)
    }
}
