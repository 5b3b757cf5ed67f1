//! A report as a page for people and as JSON for machines.

use std::fmt;

use crate::canonical::{Json, Object};
use crate::log::{Broken, Verdict, Witnessed};

use super::listed::Listed;
use super::projections::{Difference, ProjectionReport};
use super::report::{AuditReport, Excused, NotJudged, Problem, Requests, WitnessReport};

/// How many findings of one sort stand on the page; the JSON has all that are kept.
const ON_THE_PAGE: usize = 20;

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            verdict,
            size,
            since,
            read_again,
            until,
            requests,
            unresolved,
            exceptions,
            not_judged,
            problems,
            doubts,
            projections,
            witnesses,
            bookmark: _,
            notes,
        } = self;
        writeln!(f, "verdict      {verdict}")?;
        write!(f, "records      {size}")?;
        match until {
            Some(until) => writeln!(f, ", the last of {until}")?,
            None => writeln!(f)?,
        }
        if *since > 0 {
            writeln!(
                f,
                "since        record {since}; the stored tree leads to the checkpoint of then, and {read_again} records before were read again"
            )?;
            writeln!(
                f,
                "not looked at  bytes, signatures and columns of the other records before {since}, the disclosures of all of them, and the checkpoints beside them"
            )?;
            writeln!(
                f,
                "requests     {requests} (open at record {since}, or later)"
            )?;
        } else {
            writeln!(f, "requests     {requests}")?;
        }
        writeln!(f, "projections  {projections}")?;
        match witnesses {
            WitnessReport::NotAsked => {}
            WitnessReport::NoQuorum if *since > 0 => writeln!(
                f,
                "witnesses    no checkpoint after record {since} has a quorum of the policy; those before were not looked at"
            )?,
            witnesses => writeln!(f, "witnesses    {witnesses}")?,
        }
        list(f, "problems", problems, |f, problem| write!(f, "{problem}"))?;
        list(
            f,
            "in doubt, since a record before is not judged",
            doubts,
            |f, problem| write!(f, "{problem}"),
        )?;
        if let ProjectionReport::Compared { differences, .. } = projections {
            list(
                f,
                "projections that differ",
                differences,
                |f, difference| write!(f, "{difference}"),
            )?;
        }
        if !unresolved.is_empty() {
            writeln!(
                f,
                "effects that ended nobody knows how ({})",
                unresolved.len()
            )?;
            for request in unresolved.iter().take(ON_THE_PAGE) {
                writeln!(f, "  request {request}")?;
            }
            more(f, unresolved.len().saturating_sub(ON_THE_PAGE))?;
        }
        list(
            f,
            "approvals by people with an interest, as the rules record them",
            exceptions,
            |f, excused| {
                let Excused { seq, person } = excused;
                write!(f, "record {seq} by {person}")
            },
        )?;
        list(f, "records that are not judged", not_judged, |f, unread| {
            let NotJudged { seq, kind } = unread;
            write!(f, "record {seq} of kind {kind:?}")
        })?;
        for note in notes {
            writeln!(f, "note         {note}")?;
        }
        Ok(())
    }
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    listed: &Listed<T>,
    one: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    if listed.is_empty() {
        return Ok(());
    }
    writeln!(f, "{title} ({})", listed.total())?;
    for finding in listed.iter().take(ON_THE_PAGE) {
        f.write_str("  ")?;
        one(f, finding)?;
        writeln!(f)?;
    }
    let shown = listed.iter().len().min(ON_THE_PAGE);
    let rest = usize::try_from(listed.total())
        .unwrap_or(usize::MAX)
        .saturating_sub(shown);
    more(f, rest)
}

fn more(f: &mut fmt::Formatter<'_>, rest: usize) -> fmt::Result {
    if rest > 0 {
        writeln!(f, "  … and {rest} more")?;
    }
    Ok(())
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seq, rule, why } = self;
        write!(f, "record {seq} ({rule}): {why}")
    }
}

impl fmt::Display for WitnessReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => f.write_str("not asked"),
            Self::NoQuorum => f.write_str("no checkpoint of the log has a quorum of the policy"),
            Self::Quorum { size, witnessed } => write!(
                f,
                "a quorum vouches for the first {size} records since {}:{}",
                witnessed.since,
                Names(witnessed)
            ),
        }
    }
}

/// The names of witnesses, each after a blank.
struct Names<'w>(&'w Witnessed);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = self.0.by.iter();
        names.try_for_each(|(name, _)| write!(f, " {name}"))
    }
}

impl fmt::Display for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.total())?;
        let mut separator = ": ";
        for (word, number) in self.each() {
            if number > 0 {
                write!(f, "{separator}{number} {word}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

impl AuditReport {
    /// The report for machines: an object whose members are named as the fields of this type.
    ///
    /// Lists have the members `total` and `listed`, since only the first findings of a sort are kept.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let Self {
            verdict,
            size,
            since,
            read_again,
            until,
            requests,
            unresolved,
            exceptions,
            not_judged,
            problems,
            doubts,
            projections,
            witnesses,
            bookmark: _,
            notes,
        } = self;
        let requests = requests
            .each()
            .into_iter()
            .fold(Object::new(), |object, (word, count)| {
                object.with(word, number(count))
            });
        let unresolved: Vec<Json> = unresolved
            .iter()
            .map(|request| request.to_string().into())
            .collect();
        let notes: Vec<Json> = notes.iter().map(|note| note.as_str().into()).collect();
        Object::new()
            .with("verdict", verdict_json(verdict))
            .with("exit_code", self.exit_code())
            .with("size", number(*size))
            .with("since", number(*since))
            .with("read_again", number(*read_again))
            .with(
                "until",
                until.map_or(Json::Null, |until| until.to_string().into()),
            )
            .with("requests", requests)
            .with("unresolved", unresolved)
            .with(
                "exceptions",
                listed(exceptions, |Excused { seq, person }| {
                    Object::new()
                        .with("seq", number(seq.get()))
                        .with("person", person.to_string())
                }),
            )
            .with(
                "not_judged",
                listed(not_judged, |NotJudged { seq, kind }| {
                    Object::new()
                        .with("seq", number(seq.get()))
                        .with("kind", kind.as_str())
                }),
            )
            .with("problems", listed(problems, problem_json))
            .with("doubts", listed(doubts, problem_json))
            .with("projections", projections_json(projections))
            .with("witnesses", witnesses_json(witnesses))
            .with("notes", notes)
            .into()
    }
}

fn problem_json(problem: &Problem) -> Object {
    let Problem { seq, rule, why } = problem;
    Object::new()
        .with("seq", number(seq.get()))
        .with("rule", rule.as_str())
        .with("why", why.as_str())
}

fn projections_json(report: &ProjectionReport) -> Object {
    match report {
        ProjectionReport::NotAsked => Object::new().with("compared", false),
        ProjectionReport::NotCompared { why } => Object::new()
            .with("compared", false)
            .with("why", why.as_str()),
        ProjectionReport::Compared { rows, differences } => Object::new()
            .with("compared", true)
            .with("rows", number(*rows))
            .with(
                "differences",
                listed(differences, |difference| {
                    let Difference {
                        seq,
                        request,
                        what,
                        why,
                    } = difference;
                    let mut object = Object::new()
                        .with("what", what.as_str())
                        .with("why", why.as_str());
                    if let Some(seq) = seq {
                        object.insert("seq".to_owned(), number(seq.get()));
                    }
                    if let Some(request) = request {
                        object.insert("request".to_owned(), request.to_string().into());
                    }
                    object
                }),
            ),
    }
}

fn witnesses_json(report: &WitnessReport) -> Object {
    match report {
        WitnessReport::NotAsked => Object::new().with("asked", false),
        WitnessReport::NoQuorum => Object::new().with("asked", true).with("size", 0),
        WitnessReport::Quorum { size, witnessed } => {
            let by: Vec<Json> = witnessed
                .by
                .iter()
                .map(|(name, at)| {
                    Object::new()
                        .with("name", name.as_str())
                        .with("at", at.to_string())
                        .into()
                })
                .collect();
            Object::new()
                .with("asked", true)
                .with("size", number(*size))
                .with("since", witnessed.since.to_string())
                .with("by", by)
        }
    }
}

fn listed<T>(listed: &Listed<T>, one: impl Fn(&T) -> Object) -> Object {
    let kept: Vec<Json> = listed.iter().map(|finding| one(finding).into()).collect();
    Object::new()
        .with("total", number(listed.total()))
        .with("listed", kept)
}

/// A count; a log has no more records than JSON can count.
fn number(count: u64) -> Json {
    Json::try_from(count).unwrap_or(Json::Null)
}

fn verdict_json(verdict: &Verdict) -> Object {
    let word = |word: &str| Object::new().with("is", word);
    match verdict {
        Verdict::IntactAnchored { size } => word("intact_anchored").with("size", number(*size)),
        Verdict::IntactUnanchored { size, anchored } => word("intact_unanchored")
            .with("size", number(*size))
            .with("anchored", number(*anchored)),
        Verdict::IntactSince {
            since,
            size,
            anchored,
        } => word("intact_since")
            .with("since", number(*since))
            .with("size", number(*size))
            .with("anchored", number(*anchored)),
        Verdict::Broken(Broken { seq, rule, why }) => word("broken")
            .with("seq", number(seq.get()))
            .with("rule", rule.as_str())
            .with("why", why.to_string()),
        Verdict::CannotVerify { why } => word("cannot_verify").with("why", why.to_string()),
    }
}
