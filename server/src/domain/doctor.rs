//! What token and records disagree on, decided from what both were seen to have.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    alias::{ApplicationId, KeyAlias, ReferenceId},
    key::{KeyId, TokenKeyId},
};

/// What a token has under one id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenObject {
    /// `CKA_ID`.
    pub id: TokenKeyId,
    /// `CKA_LABEL`, its beginning when it is longer than any of ours.
    pub label: String,
    /// Whether it is a key that can be used.
    pub form: ObjectForm,
}

/// Whether objects of one id make a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectForm {
    /// A pair, or a secret key with all that goes with it.
    Whole,
    /// Half of one.
    Part,
    /// Several of a kind, of which none is used.
    Several,
}

/// A key that is on the token, or is to be, as its label names it: a number in a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Whose keys.
    pub series: Series,
    /// Generation or version, from 1.
    pub number: u32,
}

/// Keys on the token that succeed each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Series {
    /// KEKs of an application.
    Kek(ApplicationId),
    /// Signing pairs of an alias.
    Pair(KeyAlias),
    /// Symmetric keys of an alias.
    Symmetric(KeyAlias),
    /// The servers' own KEK.
    System,
}

impl Slot {
    /// Reads a label; `None` for what is none of ours.
    pub fn parse(label: &str) -> Option<Self> {
        let (rest, number) = label.rsplit_once('/')?;
        let number = number.parse().ok().filter(|number| *number > 0)?;
        let series = if rest == "system/kek" {
            Series::System
        } else if let Some(application) = rest.strip_prefix("kek/") {
            Series::Kek(ApplicationId::parse_any(application).ok()?)
        } else if let Some(alias) = rest.strip_prefix("sign/") {
            Series::Pair(parse_alias(alias)?)
        } else {
            Series::Symmetric(parse_alias(rest.strip_prefix("symmetric/")?)?)
        };
        Some(Self { series, number })
    }
}

fn parse_alias(text: &str) -> Option<KeyAlias> {
    let (application, reference) = text.split_once('/')?;
    let application = ApplicationId::parse_any(application).ok()?;
    let reference = ReferenceId::parse(reference).ok()?;
    Some(KeyAlias { application, reference })
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub fault: Fault,
    /// What it is about.
    pub subject: Subject,
    /// What else there is to know; never a secret.
    pub detail: Option<String>,
}

/// What a finding is about; as much of it as is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The token, by its name in the settings.
    pub token: Option<String>,
    /// The label on the token.
    pub label: Option<String>,
    /// The id on the token.
    pub object: Option<TokenKeyId>,
    /// The alias.
    pub alias: Option<KeyAlias>,
    /// The record.
    pub key: Option<KeyId>,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A certificate ends after its issuer's.
    CertificateOutlives,
    /// A certificate's issuer has no record.
    IssuerMissing,
    /// A private key is wrapped under a KEK that has no record.
    KekMissing,
    /// A key was to be made and is not on the token.
    MakingBegun,
    /// A key was made on the token, and is in no record yet.
    MakingInterrupted,
    /// Another key has the id of one of the records.
    ObjectDiffers,
    /// The token lacks a key of the records.
    ObjectMissing,
    /// Half of a key that no record names.
    ObjectPartial,
    /// A key that was destroyed, or another under its name.
    ObjectReturned,
    /// A key that no record and no intent names, and that can be its series' next.
    ObjectUnclaimed,
    /// A key that no record names and none will.
    ObjectUnused,
    /// A row cannot be trusted.
    RecordUntrusted,
    /// A token other than the primary lacks a key of the records.
    ReplicaIncomplete,
    /// A token could not be examined.
    TokenUnavailable,
    /// Two records are each said to be the newest of one alias.
    TwoCurrent,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 15] = [
        Self::CertificateOutlives,
        Self::IssuerMissing,
        Self::KekMissing,
        Self::MakingBegun,
        Self::MakingInterrupted,
        Self::ObjectDiffers,
        Self::ObjectMissing,
        Self::ObjectPartial,
        Self::ObjectReturned,
        Self::ObjectUnclaimed,
        Self::ObjectUnused,
        Self::RecordUntrusted,
        Self::ReplicaIncomplete,
        Self::TokenUnavailable,
        Self::TwoCurrent,
    ];

    /// The stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::CertificateOutlives => "certificate.outlives_issuer",
            Self::IssuerMissing => "certificate.issuer_missing",
            Self::KekMissing => "record.kek_missing",
            Self::MakingBegun => "making.begun",
            Self::MakingInterrupted => "making.interrupted",
            Self::ObjectDiffers => "token.key_differs",
            Self::ObjectMissing => "token.key_missing",
            Self::ObjectPartial => "token.key_partial",
            Self::ObjectReturned => "token.key_returned",
            Self::ObjectUnclaimed => "token.key_unclaimed",
            Self::ObjectUnused => "token.key_unused",
            Self::RecordUntrusted => "record.untrusted",
            Self::ReplicaIncomplete => "token.replica_incomplete",
            Self::TokenUnavailable => "token.unavailable",
            Self::TwoCurrent => "record.two_current",
        }
    }

    /// Whether it does no harm as it is.
    pub const fn is_harmless(self) -> bool {
        matches!(
            self,
            Self::MakingBegun
                | Self::MakingInterrupted
                | Self::ObjectPartial
                | Self::ObjectUnclaimed
                | Self::ObjectUnused
        )
    }

    /// Whether mending can end it without risk.
    pub const fn can_be_mended(self) -> bool {
        matches!(self, Self::MakingBegun | Self::MakingInterrupted | Self::ObjectUnclaimed)
    }

    /// What is wrong, for people.
    pub const fn what(self) -> &'static str {
        match self {
            Self::CertificateOutlives => "the certificate ends after its issuer's",
            Self::IssuerMissing => "the key that issued the certificate has no record",
            Self::KekMissing => "the private key is wrapped under a KEK that has no record",
            Self::MakingBegun => {
                "a key is being made, or its making was interrupted before the token made it"
            }
            Self::MakingInterrupted => {
                "a key is being made, or its making was interrupted after the token had made it"
            }
            Self::ObjectDiffers => "the token has another key under the id of one of the records",
            Self::ObjectMissing => "the token lacks a key of the records",
            Self::ObjectPartial => "the token has half of a key that no record names",
            Self::ObjectReturned => "the token has a key that was destroyed",
            Self::ObjectUnclaimed => {
                "the token has a key that could be its series' next, and nothing in the database says so"
            }
            Self::ObjectUnused => "the token has a key that no record names, and none will",
            Self::RecordUntrusted => "a row of the database cannot be trusted",
            Self::ReplicaIncomplete => "a token other than the primary lacks a key of the records",
            Self::TokenUnavailable => "the token could not be examined",
            Self::TwoCurrent => "two keys are each said to be the newest of one name",
        }
    }

    /// How to mend it, for people.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::CertificateOutlives => "rotate the key (kunji rotate); packets sealed for it still open",
            Self::IssuerMissing | Self::RecordUntrusted | Self::TwoCurrent => {
                "somebody changed the database past the server: restore it from a backup, and find out who"
            }
            Self::KekMissing => {
                "restore the database from a backup that has the KEK's record; until then what was sealed for the \
                 key does not open"
            }
            Self::MakingBegun => "nothing need be done: the next attempt begins anew. --mend forgets it",
            Self::MakingInterrupted => {
                "nothing need be done: the alias's next key will be this one. --mend goes on if a key is due; to \
                 have it used now, rotate the key (kunji rotate)"
            }
            Self::ObjectDiffers => {
                "take the token out of the settings, find out who put the key there, and restore the token from a \
                 backup"
            }
            Self::ObjectMissing => {
                "restore the token from a backup that has the key; what it wrapped or signs with does not work until \
                 then"
            }
            Self::ObjectPartial | Self::ObjectUnused => {
                "it does no harm. Remove it with the token's own tools, if you want, once a backup of the token has \
                 it; the server never removes keys"
            }
            Self::ObjectReturned => {
                "a server destroys it again within the hour: see the log if it stays. A backup of the token, or a token \
                 that was away, still had it: see to its other copies"
            }
            Self::ObjectUnclaimed => "--mend has the alias's next key be this one",
            Self::ReplicaIncomplete => "clone the key from the primary with the means of the tokens' vendor",
            Self::TokenUnavailable => "see the log and the token's state (GET /readyz), then ask again",
        }
    }
}

/// What is known of the keys on a token, beside its objects.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Ids that records name.
    pub named: BTreeSet<TokenKeyId>,
    /// The newest number of each series that has any.
    pub newest: BTreeMap<Series, u32>,
    /// Under which id the object of a label is to be made.
    pub intents: BTreeMap<String, TokenKeyId>,
}

impl Known {
    /// Objects of the primary that no record names, and intents that came to nothing.
    pub fn left_over(&self, objects: &[TokenObject]) -> Vec<Finding> {
        let mut findings: Vec<_> = objects.iter().filter_map(|object| self.judge(object)).collect();
        for (label, id) in &self.intents {
            let is_there = objects.iter().any(|object| object.id == *id && object.form == ObjectForm::Whole);
            let is_next = Slot::parse(label).is_some_and(|slot| self.is_next(&slot));
            if is_next && !is_there {
                findings.push(Finding {
                    fault: Fault::MakingBegun,
                    subject: subject(label, *id),
                    detail: None,
                });
            }
        }
        findings
    }

    fn judge(&self, object: &TokenObject) -> Option<Finding> {
        if self.named.contains(&object.id) {
            return None;
        }
        // Others may keep objects of their own on the token.
        let slot = Slot::parse(&object.label)?;
        let intended = self.intents.get(&object.label);
        let fault = if object.form != ObjectForm::Whole {
            Fault::ObjectPartial
        } else if !self.is_next(&slot) {
            Fault::ObjectUnused
        } else if intended == Some(&object.id) {
            Fault::MakingInterrupted
        } else if intended.is_some() {
            Fault::ObjectUnused
        } else {
            Fault::ObjectUnclaimed
        };
        Some(Finding { fault, subject: subject(&object.label, object.id), detail: None })
    }

    fn is_next(&self, slot: &Slot) -> bool {
        let newest = self.newest.get(&slot.series).copied().unwrap_or(0);
        slot.number == newest.saturating_add(1)
    }
}

fn subject(label: &str, id: TokenKeyId) -> Subject {
    let alias = Slot::parse(label).and_then(|slot| match slot.series {
        Series::Kek(application) => Some(KeyAlias::master(application)),
        Series::Pair(alias) | Series::Symmetric(alias) => Some(alias),
        Series::System => None,
    });
    Subject { label: Some(label.to_owned()), object: Some(id), alias, ..Subject::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(seed: u8, label: &str, form: ObjectForm) -> TokenObject {
        TokenObject { id: TokenKeyId([seed; 16]), label: label.to_owned(), form }
    }

    fn known() -> Known {
        let root = Slot::parse("sign/ROOT//2").unwrap();
        Known {
            named: [TokenKeyId([1; 16]), TokenKeyId([2; 16])].into(),
            newest: [(root.series, 2)].into(),
            intents: [
                ("sign/ROOT//2".to_owned(), TokenKeyId([2; 16])),
                ("sign/ROOT//3".to_owned(), TokenKeyId([3; 16])),
            ]
            .into(),
        }
    }

    #[test]
    fn labels_name_series() {
        let alias = |application: &str, reference: &str| KeyAlias {
            application: ApplicationId::parse_any(application).unwrap(),
            reference: ReferenceId::parse(reference).unwrap(),
        };
        for (label, series, number) in [
            ("sign/ROOT//1", Series::Pair(alias("ROOT", "")), 1),
            ("sign/KUNJI/AUDIT/12", Series::Pair(alias("KUNJI", "AUDIT")), 12),
            ("kek/REGISTRATION/2", Series::Kek(alias("REGISTRATION", "").application), 2),
            ("symmetric/IDA/a:b@c/3", Series::Symmetric(alias("IDA", "a:b@c")), 3),
            ("system/kek/1", Series::System, 1),
        ] {
            assert_eq!(Slot::parse(label), Some(Slot { series, number }), "{label}");
        }
        for label in ["", "sign", "sign/ROOT/1", "sign/ROOT//0", "sign/ROOT//x", "other/ROOT//1", "kek//1"] {
            assert_eq!(Slot::parse(label), None, "{label}");
        }
    }

    #[test]
    fn a_token_with_what_the_records_name_is_well() {
        let objects = [
            object(1, "sign/ROOT//1", ObjectForm::Whole),
            object(2, "sign/ROOT//2", ObjectForm::Whole),
            object(3, "sign/ROOT//3", ObjectForm::Whole),
            object(9, "of somebody else", ObjectForm::Part),
        ];
        let known = Known { intents: BTreeMap::new(), ..known() };
        assert!(known.left_over(&objects[..2]).is_empty());
        assert!(known.left_over(&[objects[3].clone()]).is_empty());
    }

    #[test]
    fn what_is_left_over_is_told_apart() {
        use ObjectForm::{Part, Several, Whole};
        for (objects, expected) in [
            (vec![object(3, "sign/ROOT//3", Whole)], vec![Fault::MakingInterrupted]),
            (vec![object(4, "sign/ROOT//3", Whole)], vec![Fault::ObjectUnused, Fault::MakingBegun]),
            (vec![object(3, "sign/ROOT//3", Part)], vec![Fault::ObjectPartial, Fault::MakingBegun]),
            (vec![object(3, "sign/ROOT//3", Several)], vec![Fault::ObjectPartial, Fault::MakingBegun]),
            (vec![object(5, "sign/ROOT//2", Whole)], vec![Fault::ObjectUnused, Fault::MakingBegun]),
            (vec![object(6, "kek/IDA/1", Whole)], vec![Fault::ObjectUnclaimed, Fault::MakingBegun]),
            (vec![], vec![Fault::MakingBegun]),
        ] {
            let found = known().left_over(&objects);
            assert_eq!(
                found.iter().map(|finding| finding.fault).collect::<Vec<_>>(),
                expected,
                "{objects:?}"
            );
        }
    }

    #[test]
    fn codes_are_unlike() {
        let codes: BTreeSet<_> = Fault::ALL.iter().map(|fault| fault.code()).collect();
        assert_eq!(codes.len(), Fault::ALL.len());
    }
}
