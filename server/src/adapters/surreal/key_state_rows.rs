//! Rows of transitions of keys. They are numbered without gaps, so that one that is missing is found out.

use async_trait::async_trait;
use surrealdb::types::{SurrealValue, Value};

use super::{
    SurrealRepository,
    integrity::{Row, inconsistent},
    key_rows::{NewestKeyRow, alias_hash, unexpected_form},
    runner::Query,
};
use crate::{
    domain::{
        key::{KeyId, KeyRecord},
        lifecycle::{Change, KeyState, Transition},
        time::Timestamp,
    },
    ports::{key_states::KeyStateRepository, repository::RepositoryError},
};

/// Most transitions that one query reads.
const PIECE: u64 = 1000;
const CURRENT: &str = "current";

#[derive(SurrealValue)]
struct TransitionRow {
    key: String,
    previous: Option<u64>,
    change: String,
    from_state: String,
    to_state: String,
    reason: String,
    actor: String,
    at: i64,
    closes: bool,
}

impl Row for TransitionRow {
    const TABLE: &'static str = "key_transition";
}

#[derive(SurrealValue)]
struct TransitionsRow {
    newest: u64,
}

impl Row for TransitionsRow {
    const TABLE: &'static str = "key_transitions";
}

impl From<&Transition> for TransitionRow {
    fn from(transition: &Transition) -> Self {
        Self {
            key: transition.key.0.clone(),
            previous: transition.previous,
            change: transition.change.name().to_owned(),
            from_state: transition.from.name().to_owned(),
            to_state: transition.to.name().to_owned(),
            reason: transition.reason.clone(),
            actor: transition.actor.clone(),
            at: transition.at.millis(),
            closes: transition.closes,
        }
    }
}

impl TryFrom<(u64, TransitionRow)> for Transition {
    type Error = &'static str;

    fn try_from((number, row): (u64, TransitionRow)) -> Result<Self, &'static str> {
        let from = KeyState::parse(&row.from_state).ok_or("the state before is unknown")?;
        let to = KeyState::parse(&row.to_state).ok_or("the state after is unknown")?;
        if row.previous.is_some_and(|previous| previous >= number) {
            return Err("the transition before comes after it");
        }
        let transition = Self {
            number,
            key: KeyId(row.key),
            previous: row.previous,
            change: Change::parse(&row.change).ok_or("the change is unknown")?,
            from,
            to,
            reason: row.reason,
            actor: row.actor,
            at: Timestamp::from_millis(row.at),
            closes: row.closes,
        };
        if transition.is_possible() { Ok(transition) } else { Err("one state does not lead to the other") }
    }
}

#[async_trait]
impl KeyStateRepository for SurrealRepository {
    async fn newest_transition(&self) -> Result<u64, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::key_state_rows::newest_transition
            SELECT * FROM ONLY type::record('key_transitions', $current);";
        self.integrity.require()?;
        let row = self.runner.read(Query::new(TEXT).bind("current", CURRENT.to_owned())).await?;
        Ok(self.integrity.open::<TransitionsRow>(CURRENT, row)?.map_or(0, |row| row.newest))
    }

    async fn list_transitions(&self, after: u64) -> Result<Vec<Transition>, RepositoryError> {
        let newest = self.newest_transition().await?;
        let mut next = after.saturating_add(1);
        let mut transitions = Vec::new();
        while next <= newest {
            let last = newest.min(next.saturating_add(PIECE - 1));
            for (number, row) in (next..=last).zip(self.read_transitions(next, last).await?) {
                let missing =
                    || inconsistent(TransitionRow::TABLE, &number.to_string(), "the row is missing");
                transitions.push(self.open_transition(number, row)?.ok_or_else(missing)?);
            }
            next = last.saturating_add(1);
        }
        Ok(transitions)
    }

    async fn find_transition(&self, number: u64) -> Result<Option<Transition>, RepositoryError> {
        match self.read_transitions(number, number).await?.into_iter().next() {
            Some(row) => self.open_transition(number, row),
            None => Err(unexpected_form()),
        }
    }

    /// The pointer to the newest key is written too when it closes: a successor that is being made at the same time
    /// then has to look again.
    async fn insert_transition(
        &self,
        transition: &Transition,
        closing: Option<&KeyRecord>,
    ) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::key_state_rows::insert_transition
            BEGIN;
            LET $found = (SELECT VALUE newest FROM ONLY type::record('key_transitions', $current)) ?? 0;
            IF $found != $before { THROW 'superseded' };
            CREATE ONLY type::record('key_transition', $number) CONTENT $transition RETURN NONE;
            UPSERT ONLY type::record('key_transitions', $current) CONTENT $transitions RETURN NONE;
            COMMIT;";
        const CLOSING: &str = "
            -- kunji_server::adapters::surreal::key_state_rows::insert_transition
            BEGIN;
            LET $found = (SELECT VALUE newest FROM ONLY type::record('key_transitions', $current)) ?? 0;
            LET $newest = (SELECT VALUE key FROM ONLY type::record('newest_key', $alias));
            IF $found != $before OR $newest != $key { THROW 'superseded' };
            CREATE ONLY type::record('key_transition', $number) CONTENT $transition RETURN NONE;
            UPSERT ONLY type::record('key_transitions', $current) CONTENT $transitions RETURN NONE;
            UPSERT ONLY type::record('newest_key', $alias) CONTENT $pointer RETURN NONE;
            COMMIT;";
        let before = transition.number.checked_sub(1).ok_or(RepositoryError::Conflict)?;
        let number = transition.number.to_string();
        let query = match closing {
            None => Query::new(TEXT),
            Some(key) => {
                let alias = alias_hash(&key.alias);
                let pointer =
                    NewestKeyRow { key: key.id.0.clone(), generation: key.generation, closed: Some(true) };
                Query::new(CLOSING)
                    .bind("pointer", self.integrity.seal(&alias, pointer)?)
                    .bind("alias", alias)
                    .bind("key", key.id.0.clone())
            }
        };
        let transitions = TransitionsRow { newest: transition.number };
        let query = query
            .bind("current", CURRENT.to_owned())
            .bind("before", before)
            .bind("transition", self.integrity.seal(&number, TransitionRow::from(transition))?)
            .bind("transitions", self.integrity.seal(CURRENT, transitions)?)
            .bind("number", number);
        let made = async {
            let found = self.find_transition(transition.number).await?;
            Ok(found.as_ref() == Some(transition))
        };
        Ok(self.settle(query, made).await?)
    }

    async fn insert_requested_successor(&self, record: &KeyRecord) -> Result<(), RepositoryError> {
        self.write_successor(record, true).await
    }

    async fn list_keys(
        &self,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<KeyRecord>, RepositoryError> {
        self.read_keys(after, limit).await?.into_iter().collect()
    }

    async fn examine_keys(
        &self,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Result<KeyRecord, RepositoryError>>, RepositoryError> {
        self.read_keys(after, limit).await
    }
}

impl SurrealRepository {
    async fn read_transitions(&self, first: u64, last: u64) -> Result<Vec<Value>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::key_state_rows::read_transitions
            $numbers.map(|$number| (SELECT * FROM ONLY type::record('key_transition', $number)));";
        self.integrity.require()?;
        let numbers: Vec<_> = (first..=last).map(|number| number.to_string()).collect();
        let count = numbers.len();
        let Value::Array(rows) = self.runner.read(Query::new(TEXT).bind("numbers", numbers)).await? else {
            return Err(unexpected_form());
        };
        if rows.len() == count { Ok(rows.into_vec()) } else { Err(unexpected_form()) }
    }

    fn open_transition(&self, number: u64, row: Value) -> Result<Option<Transition>, RepositoryError> {
        let name = number.to_string();
        let Some(row) = self.integrity.open::<TransitionRow>(&name, row)? else { return Ok(None) };
        Transition::try_from((number, row))
            .map(Some)
            .map_err(|reason| inconsistent(TransitionRow::TABLE, &name, reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transitions_survive_rows_and_nonsense_is_none() {
        let transition = Transition {
            number: 7,
            key: KeyId("key".to_owned()),
            previous: Some(3),
            change: Change::Resume,
            from: KeyState::Suspended,
            to: KeyState::Active,
            reason: "found again".to_owned(),
            actor: "keeper".to_owned(),
            at: Timestamp::from_millis(-1),
            closes: false,
        };
        let row = || TransitionRow::from(&transition);
        assert_eq!(Transition::try_from((7, row())), Ok(transition.clone()));
        for nonsense in [
            TransitionRow { from_state: "destroyed".to_owned(), ..row() },
            TransitionRow { to_state: "Active".to_owned(), ..row() },
            TransitionRow { change: "x".to_owned(), ..row() },
            TransitionRow { previous: Some(7), ..row() },
            TransitionRow { change: "scheduleDestruction".to_owned(), ..row() },
        ] {
            assert!(Transition::try_from((7, nonsense)).is_err());
        }
    }
}
