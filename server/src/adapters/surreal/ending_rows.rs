//! Rows of ended token epochs. They are numbered without gaps, so that one that is missing is found out.

use surrealdb::types::{SurrealValue, Value};

use super::{
    SurrealRepository,
    error::Failure,
    integrity::{Row, inconsistent},
    key_rows::unexpected_form,
    runner::Query,
};
use crate::{
    domain::{
        client::{Ending, TokenEpoch},
        time::Timestamp,
    },
    ports::repository::RepositoryError,
};

/// Most endings that one query reads or removes.
const PIECE: u64 = 1000;
const CURRENT: &str = "current";

/// The part of a transaction that writes down an ending; its values are those of [`SurrealRepository::bind_ending`].
macro_rules! write_ending {
    () => {
        "
            LET $kept = SELECT * FROM ONLY endings:current;
            IF ($kept.newest ?? 0) != $kept_newest OR ($kept.oldest ?? 1) != $kept_oldest { THROW 'superseded' };
            CREATE ONLY type::record('ending', $ending_number) CONTENT $ending RETURN NONE;
            UPSERT ONLY endings:current CONTENT $endings RETURN NONE;"
    };
}

#[derive(SurrealValue)]
struct EndingRow {
    epoch: String,
    until: i64,
}

impl Row for EndingRow {
    const TABLE: &'static str = "ending";
}

#[derive(SurrealValue)]
struct EndingsRow {
    oldest: u64,
    newest: u64,
}

impl Row for EndingsRow {
    const TABLE: &'static str = "endings";
}

/// The numbers of the endings that are kept: none when `oldest` is above `newest`.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    pub(super) oldest: u64,
    pub(super) newest: u64,
}

impl SurrealRepository {
    pub(super) async fn kept_endings(&self) -> Result<Kept, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::ending_rows::kept_endings
            SELECT * FROM ONLY endings:current;";
        self.integrity.require()?;
        let row = self.runner.read(Query::new(TEXT)).await?;
        let row = self.integrity.open::<EndingsRow>(CURRENT, row)?;
        Ok(row.map_or(Kept { oldest: 1, newest: 0 }, |row| Kept { oldest: row.oldest, newest: row.newest }))
    }

    /// Adds the values of [`write_ending`].
    pub(super) async fn bind_ending(&self, query: Query, ending: &Ending) -> Result<Query, RepositoryError> {
        let kept = self.kept_endings().await?;
        if kept.newest.saturating_add(1) != ending.number {
            return Err(RepositoryError::Conflict);
        }
        let name = ending.number.to_string();
        let row = EndingRow { epoch: ending.epoch.to_text(), until: ending.until.millis() };
        let row = self.integrity.seal(&name, row)?;
        let endings = EndingsRow { oldest: kept.oldest, newest: ending.number };
        Ok(query
            .bind("kept_newest", kept.newest)
            .bind("kept_oldest", kept.oldest)
            .bind("ending_number", name)
            .bind("ending", row)
            .bind("endings", self.integrity.seal(CURRENT, endings)?))
    }

    pub(super) async fn read_endings(&self, after: u64) -> Result<Vec<Ending>, RepositoryError> {
        let kept = self.kept_endings().await?;
        let mut next = kept.oldest.max(after.saturating_add(1));
        let mut endings = Vec::new();
        while next <= kept.newest {
            let last = kept.newest.min(next.saturating_add(PIECE - 1));
            for (number, row) in (next..=last).zip(self.read_piece(next, last).await?) {
                match self.open_ending(number, row)? {
                    Some(ending) => endings.push(ending),
                    // Forgotten meanwhile, or taken away.
                    None if number < self.kept_endings().await?.oldest => {}
                    None => {
                        return Err(inconsistent(
                            EndingRow::TABLE,
                            &number.to_string(),
                            "the row is missing",
                        ));
                    }
                }
            }
            next = last.saturating_add(1);
        }
        Ok(endings)
    }

    async fn read_piece(&self, first: u64, last: u64) -> Result<Vec<Value>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::ending_rows::read_piece
            $numbers.map(|$number| (SELECT * FROM ONLY type::record('ending', $number)));";
        let numbers: Vec<_> = (first..=last).map(|number| number.to_string()).collect();
        let count = numbers.len();
        let Value::Array(rows) = self.runner.read(Query::new(TEXT).bind("numbers", numbers)).await? else {
            return Err(unexpected_form());
        };
        if rows.len() == count { Ok(rows.into_vec()) } else { Err(unexpected_form()) }
    }

    fn open_ending(&self, number: u64, row: Value) -> Result<Option<Ending>, RepositoryError> {
        let name = number.to_string();
        let Some(row) = self.integrity.open::<EndingRow>(&name, row)? else { return Ok(None) };
        let epoch = TokenEpoch::parse(&row.epoch)
            .ok_or_else(|| inconsistent(EndingRow::TABLE, &name, "the epoch is malformed"))?;
        Ok(Some(Ending { number, epoch, until: Timestamp::from_millis(row.until) }))
    }

    pub(super) async fn remove_endings(&self, now: Timestamp) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::ending_rows::remove_endings
            BEGIN;
            LET $kept = SELECT * FROM ONLY endings:current;
            IF $kept.newest != $kept_newest OR $kept.oldest != $kept_oldest { THROW 'superseded' };
            FOR $number IN $numbers { DELETE type::record('ending', $number) RETURN NONE; };
            UPSERT ONLY endings:current CONTENT $endings RETURN NONE;
            COMMIT;";
        let kept = self.kept_endings().await?;
        let last = kept.newest.min(kept.oldest.saturating_add(PIECE - 1));
        if last < kept.oldest {
            return Ok(());
        }
        let mut over = Vec::new();
        for (number, row) in (kept.oldest..=last).zip(self.read_piece(kept.oldest, last).await?) {
            match self.open_ending(number, row)? {
                Some(ending) if ending.until <= now => over.push(number.to_string()),
                _ => break,
            }
        }
        if over.is_empty() {
            return Ok(());
        }
        let oldest = kept.oldest.saturating_add(u64::try_from(over.len()).unwrap_or(u64::MAX));
        let endings = EndingsRow { oldest, newest: kept.newest };
        let query = Query::new(TEXT)
            .bind("kept_newest", kept.newest)
            .bind("kept_oldest", kept.oldest)
            .bind("numbers", over)
            .bind("endings", self.integrity.seal(CURRENT, endings)?);
        match self.runner.change(query).await {
            // Another server forgets them, or something ended meanwhile: there will be another time.
            Ok(()) | Err(Failure::Refused | Failure::Contended) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }
}
