//! The views of the page, and which address is which.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use kernel::Flow;
use story::html::{self, Asking, Frame};
use story::{escape, json};
use trace::FINDINGS;

use crate::args::{HostArgs, PageArgs};
use crate::cluster::{self, Cluster};
use crate::read::Connections;
use crate::subject::{Replied, Subject};
use crate::target::Asked;

use super::caller::Known;
use super::fresh::{Fresh, Outcome};
use super::problem::Problem;
use super::query::{self, Query};
use super::question::{Question, question};
use super::request::{Fault, Request};
use super::response::{Kind, Response, Status};
use super::views::Views;

/// A live host is read no more often than this for the map and the scan, and for questions.
const PERIOD: Duration = Duration::from_secs(1);

/// What `/why` takes behind the `?`.
const WHY: &[&str] = &["to", "from", "proto", "in", "sport", "mac", "uid", "all"];

/// The page of one host.
pub(super) struct Site {
    source: HostArgs,
    node_ports: (u16, u16),
    cluster_args: crate::args::ClusterArgs,
    cluster: Arc<Cluster>,
    known: Known,
    /// Where the facts come from, in words.
    told_source: String,
    subjects: Fresh<(), Subject>,
    /// Readings for a flow: with the entries of conntrack for it.
    flows: Fresh<Flow, Subject>,
    views: Fresh<(), Views>,
}

type Answered = Result<(Kind, String), Problem>;

impl Site {
    /// Reads the host once, so that what cannot be read at all is said at once.
    pub(super) fn new(args: PageArgs) -> anyhow::Result<Self> {
        let period = (!args.source.is_offline()).then_some(PERIOD);
        let site = Self {
            told_source: told(&args.source),
            cluster: Arc::new(cluster::load(&args.cluster)?),
            known: Known::new(&args.hosts),
            node_ports: args.node_ports,
            source: args.source,
            cluster_args: args.cluster,
            subjects: Fresh::new(period),
            flows: Fresh::new(period),
            views: Fresh::new(period),
        };
        match &*site.subject() {
            Ok(_) => Ok(site),
            Err(error) => Err(anyhow::anyhow!("{error}")),
        }
    }

    /// Answers a request that reached the page at `reached`.
    pub(super) fn answer(&self, request: &Request, reached: IpAddr) -> Response {
        let answered = if !self.known.knows(&request.host, reached) {
            Err(Problem::misdirected(&request.host))
        } else if !matches!(request.method.as_str(), "GET" | "HEAD") {
            Err(Problem::method(&request.method))
        } else {
            self.view(request)
        };
        match answered {
            Ok((kind, body)) => Response {
                status: Status::Ok,
                kind,
                body,
            },
            Err(problem) => self.refused(&problem, request),
        }
    }

    /// Answers what is no request; nothing where the client went away.
    pub(super) fn refuse(&self, fault: Fault) -> Option<Response> {
        let problem = Problem::of_fault(fault)?;
        Some(self.refused(&problem, &Request::default()))
    }

    fn refused(&self, problem: &Problem, request: &Request) -> Response {
        let Problem {
            status,
            title,
            text,
        } = problem;
        if request.wants_json() {
            return Response {
                status: *status,
                kind: Kind::Json,
                body: json::render_problem(text),
            };
        }
        // Who calls the page by a wrong name is not told what else was asked of it.
        let query = match status {
            Status::BadRequest if request.path == "/why" => Query::parse(&request.query, WHY).ok(),
            _ => None,
        };
        let query = query.unwrap_or_default();
        let host = match status {
            Status::Misdirected => String::new(),
            _ => self.host_name(),
        };
        let frame = Frame {
            host: &host,
            source: &self.told_source,
        };
        Response {
            status: *status,
            kind: Kind::Html,
            body: html::problem(&frame, title, text, &asking(&query)),
        }
    }

    fn view(&self, request: &Request) -> Answered {
        let is_json = request.wants_json();
        let kind = if is_json { Kind::Json } else { Kind::Html };
        match request.path.as_str() {
            "/" => {
                let _ = parsed(request, &[])?;
                let views = self.views();
                let views = whole(&views)?;
                let body = if is_json {
                    &views.ports_json
                } else {
                    &views.ports
                };
                Ok((kind, body.clone()))
            }
            "/scan" => {
                let query = parsed(request, &["all"])?;
                let views = self.views();
                let views = whole(&views)?;
                let body = match (is_json, query.has("all")) {
                    (true, _) => &views.listeners_json,
                    (false, true) => &views.all_listeners,
                    (false, false) => &views.listeners,
                };
                Ok((kind, body.clone()))
            }
            "/why" => self.why(request),
            "/explain" => {
                let _ = parsed(request, &[])?;
                let page = || html::findings(&self.frame(&self.host_name()), FINDINGS);
                let body = if is_json {
                    json::render_findings(FINDINGS)
                } else {
                    page()
                };
                Ok((kind, body))
            }
            "/style.css" => Ok((Kind::Css, html::STYLE.to_owned())),
            path => match path.strip_prefix("/explain/") {
                Some(code) => self.explain(code, is_json).map(|body| (kind, body)),
                None => Err(Problem::not_found(
                    "There is the map of ports at `/`, the list of listeners at `/scan`, an \
                     answer at `/why`, and what is known of findings at `/explain`.",
                )),
            },
        }
    }

    fn explain(&self, code: &str, is_json: bool) -> Result<String, Problem> {
        let code = query::decoded(code).map_err(|text| Problem::bad(&text))?;
        let Some(doc) = FINDINGS.iter().find(|doc| doc.code == code) else {
            let hint = match story::explain::nearest(FINDINGS, &code) {
                Some(near) => format!("There is no finding `{code}`: did you mean `{near}`?"),
                None => format!("There is no finding `{code}`: `/explain` lists them all."),
            };
            return Err(Problem::not_found(&hint));
        };
        if is_json {
            return Ok(json::render_finding(doc));
        }
        Ok(html::explain(&self.frame(&self.host_name()), doc))
    }

    fn why(&self, request: &Request) -> Answered {
        let query = parsed(request, WHY)?;
        let host = self.host_name();
        if query.get("to").is_none() {
            if request.wants_json() {
                let text = "no target: give `to` an ADDRESS:PORT or a PORT";
                return Err(Problem::bad(text));
            }
            return Ok((Kind::Html, html::ask(&self.frame(&host), &asking(&query))));
        }
        let question = question(&query)?;
        let subject = self.subject_for(&question);
        let subject = whole(&subject)?;
        let bad = |error: anyhow::Error| Problem::bad(&format!("{error:#}"));
        let asked = question
            .target
            .resolve(question.proto, &subject.host, &subject.cluster.catalog)
            .map_err(bad)?;
        let replied: Vec<Replied> = asked
            .iter()
            .map(|asked| subject.ask(&question.inquiry, asked))
            .collect::<Result<_, _>>()
            .map_err(bad)?;
        let stories = replied.iter().map(|replied| subject.story(replied));
        if request.wants_json() {
            let body = stories.map(|story| json::render(&story)).collect();
            return Ok((Kind::Json, body));
        }
        let remarks = asked.iter().map(|asked: &Asked| asked.remark.as_deref());
        let told: Vec<html::Told> = remarks.zip(stories).collect();
        let every = query.has("all");
        let toggle = toggled(&query, every);
        let frame = self.frame(&host);
        let body = html::why(&frame, &asking(&query), &told, (every, &toggle));
        Ok((Kind::Html, body))
    }

    fn frame<'a>(&'a self, host: &'a str) -> Frame<'a> {
        Frame {
            host,
            source: &self.told_source,
        }
    }

    /// The name of the host, of the last reading whatever its age.
    fn host_name(&self) -> String {
        let last = self.subjects.last();
        let name = last.as_deref().and_then(|read| read.as_ref().ok());
        name.map_or(String::new(), |subject| subject.host.name.clone())
    }

    fn subject(&self) -> Outcome<Subject> {
        self.subjects
            .get((), || self.read(Connections::OfListeners))
    }

    /// The host as it is read for a question.
    fn subject_for(&self, question: &Question) -> Outcome<Subject> {
        let to = question.target.endpoint();
        match to.filter(|_| !self.source.is_offline()) {
            None => self.subject(),
            Some(to) => {
                let flow = Flow {
                    proto: question.proto,
                    dst: to.addr,
                    port: to.port,
                };
                self.flows.get(flow, || self.read(Connections::Of(flow)))
            }
        }
    }

    fn views(&self) -> Outcome<Views> {
        self.views.get((), || match &*self.subject() {
            Ok(subject) => Ok(Views::new(subject, &self.told_source, self.node_ports)),
            Err(error) => Err(anyhow::anyhow!("{error}")),
        })
    }

    fn read(&self, connections: Connections) -> anyhow::Result<Subject> {
        let cluster = self.cluster.clone();
        Subject::read(&self.source, &self.cluster_args, cluster, connections)
    }
}

/// What was typed, for the form to show again.
fn asking(query: &Query) -> Asking<'_> {
    Asking {
        to: query.text("to"),
        from: query.text("from"),
        proto: query.text("proto"),
        iif: query.text("in"),
    }
}

/// The address of the same question with, or without, every step.
fn toggled(query: &Query, every: bool) -> String {
    let fields = WHY.iter().filter(|name| **name != "all");
    let given = fields.filter_map(|name| {
        let value = escape::query(query.get(name)?);
        Some(format!("{name}={value}"))
    });
    let mut parts: Vec<String> = given.collect();
    parts.extend((!every).then(|| "all".to_owned()));
    format!("/why?{}", parts.join("&"))
}

/// Where the facts come from.
fn told(source: &HostArgs) -> String {
    match (&source.snapshot, &source.netns) {
        (Some(path), _) => format!("from the snapshot {}", path.display()),
        (None, Some(netns)) => format!("{netns}, read when you ask"),
        (None, None) if source.is_offline() => "put together from files".to_owned(),
        (None, None) => "read when you ask".to_owned(),
    }
}

fn parsed(request: &Request, known: &[&str]) -> Result<Query, Problem> {
    Query::parse(&request.query, known).map_err(|text| Problem::bad(&text))
}

/// What was read, or why it could not be.
fn whole<T>(read: &Outcome<T>) -> Result<&T, Problem> {
    read.as_ref().as_ref().map_err(|error| Problem {
        status: Status::Unavailable,
        title: "The host cannot be read",
        text: error.clone(),
    })
}
