use std::collections::BTreeSet;

use super::*;
use crate::domain::{
    alias::KeyPurpose,
    key_policies::tests::{policy, shipped, stating},
    policy::KeyPolicy,
};

const DAY: i64 = 86_400_000;

fn day(day: i64) -> Timestamp {
    Timestamp::from_millis(day * DAY)
}

fn alias(application: &str, reference: &str) -> KeyAlias {
    KeyAlias::parse(application, reference).unwrap()
}

/// The only symmetric key of an application.
const SECRET: &str = "SECRET";
/// A curve that the token does not take.
const NOT_TAKEN: &str = "EC_SECP256K1_SIGN";

fn sort_of(alias: &KeyAlias) -> Sort {
    match (alias.role(), alias.reference.as_str()) {
        (_, SECRET) => Sort::Symmetric,
        (AliasRole::Base, _) | (_, NOT_TAKEN | "ED25519_SIGN") => Sort::InRecords,
        _ => Sort::OnToken,
    }
}

/// First keys of these aliases, made on day 0, issuers first.
fn first_keys(policies: &KeyPolicies, aliases: &[KeyAlias]) -> NewestKeys {
    let mut keys = NewestKeys::new();
    for alias in aliases {
        let ended = Cryptoperiod { not_before: day(-2), not_after: day(-1) };
        let none = NewestKey { generation: 0, period: ended, sort: sort_of(alias) };
        let issuer = none.issuer(alias).map(|issuer| keys[&issuer].period);
        let validity = none.periods(policies, alias).unwrap().validity_days;
        let period = Cryptoperiod::starting(day(0), validity, issuer);
        keys.insert(alias.clone(), NewestKey { generation: 1, period, ..none });
    }
    keys
}

/// ROOT, the server's own, and two modules with so many base keys, keys on curves and a symmetric key of each.
fn aliases(base_keys: usize) -> Vec<KeyAlias> {
    let mut aliases = vec![alias("ROOT", ""), alias("KERNEL", "SIGN")];
    aliases.extend(KeyAlias::internal());
    for application in ["PMS", "REGISTRATION"] {
        let module = alias(application, "");
        aliases.push(module.clone());
        aliases.extend((0..base_keys).map(|number| alias(application, &format!("{number}_1"))));
        aliases.extend(KeyAlias::curves(&module.application));
        aliases.push(alias(application, SECRET));
    }
    aliases
}

/// What is renewed at `now`, issuers before what they certify.
fn due(policies: &KeyPolicies, newest: &NewestKeys, now: Timestamp) -> Vec<Step> {
    let forecast = forecast(policies, newest, now, now, usize::MAX);
    forecast.steps.into_iter().filter(|step| matches!(step.event, Event::Renewed(_))).collect()
}

/// Whether the key of this alias is due for itself, as servers ask before they make its successor.
fn is_due(policies: &KeyPolicies, keys: &NewestKeys, alias: &KeyAlias, now: Timestamp) -> bool {
    let above = std::iter::successors(Some(alias.clone()), |alias| keys[alias].issuer(alias));
    let mut chain: Vec<_> =
        above.map(|alias| Link { newest: keys[&alias], alias, is_awaited: false }).collect();
    chain.reverse();
    policies.periods(alias).unwrap().automatic && successor(policies, &chain, now).is_some()
}

/// Carries a plan out and holds the laws on the way.
fn carry_out(keys: &mut NewestKeys, plan: &[Step], now: Timestamp) {
    for Step { at, alias, event } in plan {
        let Event::Renewed(renewed) = event else { panic!("a plan only renews") };
        let before = keys[alias];
        assert_eq!((*at, renewed.generation), (now, before.generation + 1), "{alias}");
        assert!(renewed.period.not_before <= now, "{alias}: in force at once");
        assert!(renewed.period.not_after > before.period.not_after, "{alias}: every successor lives longer");
        if let Some(issuer) = renewed.issuer(alias) {
            let issuer = keys[&issuer].period;
            assert!(issuer.not_before <= renewed.period.not_before, "{alias}: not before its issuer");
            assert!(renewed.period.not_after <= issuer.not_after, "{alias}: not beyond its issuer");
        }
        keys.insert(alias.clone(), *renewed);
    }
}

#[test]
fn ten_years_of_thousands_of_aliases() {
    const BASE_KEYS: usize = 1_500;
    let policies = shipped();
    let mut keys = first_keys(&policies, &aliases(BASE_KEYS));
    let days = 3652;
    let mut rotations = BTreeMap::<&str, usize>::new();
    for now in (0..=days).map(day) {
        let plan = due(&policies, &keys, now);
        if !plan.is_empty() {
            let planned: BTreeSet<_> = plan.iter().map(|step| &step.alias).collect();
            for alias in keys.keys() {
                assert_eq!(is_due(&policies, &keys, alias, now), planned.contains(alias), "{alias}: {now:?}");
            }
        }
        carry_out(&mut keys, &plan, now);
        if !plan.is_empty() {
            assert_eq!(due(&policies, &keys, now), [], "a plan that was carried out is empty");
        }
        for Step { alias, .. } in &plan {
            *rotations.entry(kind_of(alias)).or_default() += 1;
            let Event::Renewed(newest) = keys_event(&plan, alias) else { continue };
            let full = now.plus_days(newest.periods(&policies, alias).unwrap().validity_days);
            // Full lives: nothing is cut short by its issuer, but keys on curves that are to live as long as theirs.
            let is_cut = matches!(alias.role(), AliasRole::Curve(_)) && newest.sort == Sort::InRecords;
            let issuer = newest.issuer(alias).filter(|_| is_cut).map(|issuer| keys[&issuer].period.not_after);
            assert_eq!(newest.period.not_after, issuer.unwrap_or(full).min(full), "{alias}");
        }
        for (alias, key) in &keys {
            assert!(key.period.is_current(now, 0) && key.period.not_before <= now, "{alias}: no gap");
        }
    }
    let expected = BTreeMap::from([
        ("ROOT", 3652 / (2920 - 1855)),
        ("PMS", 3652 / (1460 - 760)),
        ("REGISTRATION", 3652 / (1095 - 760)),
        ("own", 3 * (3652 / (1095 - 60))),
        ("base", 2 * BASE_KEYS * (3652 / (730 - 30))),
        // P-256 and P-384.
        ("PMS on curves", 2 * (3652 / (1460 - 30))),
        ("REGISTRATION on curves", 2 * (3652 / (1095 - 30))),
        // Ed25519 and secp256k1, which end with their module's keys: of day 0, 1005 and 2010; with PMS 0 and 1400.
        ("PMS in records", 4),
        ("REGISTRATION in records", 6),
        // After 3620 of its 3650 days.
        ("symmetric", 2),
    ]);
    assert_eq!(rotations, expected);
}

fn kind_of(alias: &KeyAlias) -> &'static str {
    let is_pms = alias.application.as_str() == "PMS";
    match (alias.role(), sort_of(alias)) {
        (_, Sort::Symmetric) => "symmetric",
        (AliasRole::Base, _) => "base",
        (AliasRole::Curve(_), Sort::OnToken) if is_pms => "PMS on curves",
        (AliasRole::Curve(_), Sort::OnToken) => "REGISTRATION on curves",
        (AliasRole::Curve(_), _) if is_pms => "PMS in records",
        (AliasRole::Curve(_), _) => "REGISTRATION in records",
        (AliasRole::Internal | AliasRole::Sign, _) => "own",
        (AliasRole::Module, _) if is_pms => "PMS",
        (AliasRole::Module, _) => "REGISTRATION",
        (AliasRole::Root, _) => "ROOT",
    }
}

fn keys_event(plan: &[Step], alias: &KeyAlias) -> Event {
    plan.iter().find(|step| step.alias == *alias).unwrap().event
}

#[test]
fn a_forecast_says_what_looking_each_day_does() {
    let policies = shipped();
    let first = first_keys(&policies, &aliases(3));
    let mut keys = first.clone();
    let mut done = Vec::new();
    for now in (0..=1500).map(day) {
        let plan = due(&policies, &keys, now);
        carry_out(&mut keys, &plan, now);
        done.extend(plan);
    }
    let foreseen = forecast(&policies, &first, day(0), day(1500), usize::MAX);
    assert!(!foreseen.truncated);
    assert_eq!(foreseen.steps, done);
    let some = forecast(&policies, &first, day(0), day(1500), 4);
    assert!(some.truncated && some.steps == done[..4]);
}

/// Random policies, random pauses between two looks: the laws hold.
#[test]
fn laws_hold_whatever_policies_say() {
    // xorshift64*: the same cases each time.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |bound: u32| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        u32::try_from(state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % bound
    };
    for _ in 0..300 {
        let mut random = |application: &str| {
            let validity = 1 + below(600);
            let automatic_rotation = below(8) != 0;
            let policy = KeyPolicy { automatic_rotation, ..policy(application, validity, below(validity)) };
            match KeyPurpose::ALL.into_iter().nth(usize::try_from(below(6)).unwrap()) {
                Some(purpose) => stating(policy, purpose, below(validity)),
                None => policy,
            }
        };
        let policies = KeyPolicies::new(["ROOT", "BASE", "KERNEL", "PMS", "REGISTRATION"].map(&mut random));
        let mut keys = first_keys(&policies, &aliases(2));
        let mut now = day(0);
        for _ in 0..60 {
            now = now.plus_seconds(i64::from(below(40 * 86_400)));
            let plan = due(&policies, &keys, now);
            carry_out(&mut keys, &plan, now);
            assert_eq!(due(&policies, &keys, now), [], "{policies:?}");
            for (alias, key) in &keys {
                let automatic = |alias: &KeyAlias| policies.periods(alias).unwrap().automatic;
                let mut above = std::iter::successors(Some(alias.clone()), |alias| keys[alias].issuer(alias));
                assert!(
                    key.period.is_current(now, 0) || !above.all(|alias| automatic(&alias)),
                    "{alias} has ended at {now:?}: {policies:?}"
                );
            }
        }
    }
}

#[test]
fn nothing_is_made_for_the_last_days_of_an_issuer() {
    let off = KeyPolicy { automatic_rotation: false, ..policy("REGISTRATION", 1095, 60) };
    let policies = KeyPolicies::new(shipped().iter().cloned().chain([off]));
    let (module, base) = (alias("REGISTRATION", ""), alias("REGISTRATION", "1"));
    let mut keys = first_keys(&policies, &[alias("ROOT", ""), module.clone(), base.clone()]);
    let plan = due(&policies, &keys, day(700));
    carry_out(&mut keys, &plan, day(700));
    assert_eq!(keys[&base].period.not_after, keys[&module].period.not_after, "cut short by its issuer");
    let plan = due(&policies, &keys, day(1090));
    assert!(plan.iter().all(|step| step.alias.role() == AliasRole::Root), "{plan:?}");
    let foreseen = forecast(&policies, &keys, day(1090), day(1100), usize::MAX).steps;
    let of = |alias: &KeyAlias| foreseen.iter().filter(|step| step.alias == *alias).collect::<Vec<_>>();
    // The module's is not made by itself, but by the need of its base key.
    assert!(matches!(
        of(&module)[..],
        [Step { event: Event::Ended, .. }, Step { event: Event::Renewed(_), .. }]
    ));
    assert!(matches!(of(&base)[..], [Step { event: Event::Renewed(NewestKey { generation: 3, .. }), .. }]));
}

#[test]
fn without_policy_or_issuer_a_key_only_ends() {
    let lonely = alias("REGISTRATION", "1");
    let keys = first_keys(&shipped(), &aliases(2));
    let keys = NewestKeys::from([(lonely.clone(), keys[&alias("REGISTRATION", "1_1")])]);
    let ended = Step { at: day(730), alias: lonely, event: Event::Ended };
    for policies in [shipped(), KeyPolicies::default()] {
        assert_eq!(forecast(&policies, &keys, day(0), day(800), 9).steps, std::slice::from_ref(&ended));
    }
}

#[test]
fn what_has_no_successor_by_itself_only_ends() {
    let alias = alias("REGISTRATION", "1_1");
    let mut keys = first_keys(&shipped(), &aliases(2));
    keys.get_mut(&alias).unwrap().sort = Sort::Last;
    let steps = forecast(&shipped(), &keys, day(0), day(800), usize::MAX).steps;
    let of_it: Vec<_> = steps.iter().filter(|step| step.alias == alias).collect();
    assert_eq!(of_it, [&Step { at: day(730), alias, event: Event::Ended }]);
}

#[test]
fn while_an_issuer_is_waited_for_what_it_certifies_waits_too() {
    let policies = shipped();
    let keys = first_keys(&policies, &aliases(1));
    let chain = |is_awaited| {
        ["ROOT/", "REGISTRATION/", "REGISTRATION/ED25519_SIGN"].map(|name| {
            let (application, reference) = name.split_once('/').unwrap();
            let alias = alias(application, reference);
            let is_awaited = is_awaited && alias.role() == AliasRole::Module;
            Link { newest: keys[&alias], alias, is_awaited }
        })
    };
    assert!(successor(&policies, &chain(false), day(1070)).is_some());
    assert_eq!(successor(&policies, &chain(true), day(1070)), None);
}

#[test]
fn nothing_is_renewed_at_each_look_whatever_the_pre_expiry_of_base_keys() {
    let policies = KeyPolicies::new(
        shipped().iter().cloned().chain([policy("BASE", 30_000, 20_000), policy("REGISTRATION", 100, 10)]),
    );
    for reference in ["EC_SECP256R1_SIGN", "ED25519_SIGN", SECRET] {
        let alias = alias("REGISTRATION", reference);
        let keys =
            first_keys(&policies, &[self::alias("ROOT", ""), self::alias("REGISTRATION", ""), alias.clone()]);
        assert!(!is_due(&policies, &keys, &alias, day(1)), "{reference}");
    }
}
