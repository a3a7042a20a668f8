//! What Top and Diff ask for.

use std::collections::HashMap;

use pbjson_types::Timestamp;
use profiler_proto::v1;
use tonic::Status;

use super::{
    Filter, NameStacks, NotChosen, Page, Rows, Selection, Shape, connections::ConnectionFacts,
};
use crate::{
    ids::{BootTime, Cookie, PeerId},
    model::{Growth, Snapshot},
};

/// A question about growth that was checked.
#[derive(Debug)]
pub struct Question {
    /// What is asked about.
    pub filter: Filter,
    /// What it is compared with, if that is another target and not another moment.
    pub against: Option<Filter>,
    /// How the answer is to be shaped.
    pub shape: Shape,
    /// The moment that growth counts from; none: from the start of observation, or, where targets
    /// are compared, the end.
    pub begin: Asked,
    /// The moment that the answer stands for; none: now.
    pub end: Asked,
    /// The page that is asked for.
    pub page: Page,
}

/// A moment that a field of a request names.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The field's name, for messages.
    pub field: &'static str,
    /// The moment, if the field is given.
    pub time: Option<Timestamp>,
}

/// What an answer is made of.
#[derive(Debug)]
pub struct Answer {
    /// The rows of the page.
    pub rows: Rows,
    /// The processes that were chosen.
    pub selection: Selection,
    /// The moment that growth counts from; none: from the start of observation.
    pub from: Option<BootTime>,
    /// The moment that the answer stands for.
    pub time: BootTime,
}

impl Question {
    /// # Errors
    /// `INVALID_ARGUMENT`: what makes no sense, with the name of the field.
    pub fn top(mut request: v1::TopRequest) -> Result<Self, Status> {
        let token = std::mem::take(&mut request.page_token);
        let page = Page::new(&request, &token, 1)?;
        let shape = Shape::new(
            request.by,
            request.order,
            request.limit,
            request.include_unattributed,
            request.since.is_some(),
        )?;
        Ok(Self {
            filter: Filter::new(request.selector.as_ref())?,
            against: None,
            shape: shape.of_connection(request.connection).after(page.offset()),
            begin: Asked::new("since", request.since),
            end: Asked::new("at", request.at),
            page,
        })
    }

    /// # Errors
    /// `INVALID_ARGUMENT`: what makes no sense, with the name of the field.
    pub fn diff(mut request: v1::DiffRequest) -> Result<Self, Status> {
        let token = std::mem::take(&mut request.page_token);
        let page = Page::new(&request, &token, 1)?;
        if request.from.is_none() && request.against.is_none() {
            return Err(Status::invalid_argument(
                "from: a diff needs the moment that it begins with, or another target to compare \
                 with (against)",
            ));
        }
        let shape = Shape::new(
            request.by,
            request.order,
            request.limit,
            request.include_unattributed,
            true,
        )?;
        let shape = shape.of_connection(request.connection).after(page.offset());
        let against = request.against.as_ref();
        if against.is_some() {
            shape.check_comparable()?;
        }
        Ok(Self {
            filter: Filter::new(request.selector.as_ref())?,
            against: against.map(|one| Filter::new(Some(one))).transpose()?,
            shape,
            begin: Asked::new("from", request.from),
            end: Asked::new("to", request.to),
            page,
        })
    }

    /// The moments that were found, in the order that the question needs.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: the beginning lies after the end.
    pub fn check_order(&self, begin: Option<BootTime>, end: BootTime) -> Result<(), Status> {
        match begin {
            Some(begin) if begin > end && self.against.is_none() => Err(Status::invalid_argument(
                format!("{} lies after {}", self.begin.field, self.end.field),
            )),
            _ => Ok(()),
        }
    }

    /// The answer from the snapshots of both moments. Blocks while frames are named. `folded`: of
    /// connections that are no longer kept apart, the totals that they are in.
    ///
    /// # Errors
    /// What is not known, and what can't be told apart.
    pub fn answer(
        &self,
        begin: Option<&Snapshot>,
        end: &Snapshot,
        folded: &HashMap<Cookie, Option<PeerId>>,
        names: &dyn NameStacks,
        connections: &dyn ConnectionFacts,
    ) -> Result<Answer, NotChosen> {
        if let Some(against) = &self.against {
            return self.compare(against, begin.unwrap_or(end), end, names);
        }
        let growth = match begin {
            Some(begin) => Growth::between(begin, end, folded),
            None => Growth::since_start(end),
        };
        self.rows(&growth, names, connections)
    }

    /// The answer from growth, where that was put together elsewhere; nothing is compared.
    ///
    /// # Errors
    /// What is not known, and what can't be told apart.
    pub fn rows(
        &self,
        growth: &Growth,
        names: &dyn NameStacks,
        connections: &dyn ConnectionFacts,
    ) -> Result<Answer, NotChosen> {
        let selection = self.filter.choose(growth.targets())?;
        self.shape
            .check_connection(growth, &selection, connections)?;
        Ok(Answer {
            rows: self.shape.rows(growth, &selection, names, connections),
            selection,
            from: growth.from,
            time: growth.time,
        })
    }

    fn compare(
        &self,
        against: &Filter,
        begin: &Snapshot,
        end: &Snapshot,
        names: &dyn NameStacks,
    ) -> Result<Answer, NotChosen> {
        let selection = self.filter.choose(end.targets())?;
        let other = against.choose(begin.targets())?;
        let one = Growth::since_start(end);
        let rows = match begin.time == end.time {
            true => self
                .shape
                .compare((&one, &selection), (&one, &other), names),
            false => {
                let before = Growth::since_start(begin);
                self.shape
                    .compare((&one, &selection), (&before, &other), names)
            }
        };
        Ok(Answer {
            rows,
            selection,
            from: Some(begin.time),
            time: end.time,
        })
    }
}

impl Asked {
    pub(super) fn new(field: &'static str, time: Option<Timestamp>) -> Self {
        Self { field, time }
    }
}
