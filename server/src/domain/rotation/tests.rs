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

/// First keys of these aliases, made on day 0, issuers first.
fn first_keys(policies: &KeyPolicies, aliases: &[KeyAlias]) -> NewestKeys {
    let mut keys = NewestKeys::new();
    for alias in aliases {
        let issuer = issuer_period(policies, |alias| keys.get(alias).copied(), alias, day(0)).unwrap();
        let validity = policies.periods(alias).unwrap().validity_days;
        let period = Cryptoperiod::starting(day(0), validity, issuer);
        keys.insert(alias.clone(), NewestKey { generation: 1, period });
    }
    keys
}

/// ROOT, the server's own, two modules and so many base keys of each.
fn aliases(base_keys: usize) -> Vec<KeyAlias> {
    let mut aliases = vec![alias("ROOT", ""), alias("KERNEL", "SIGN")];
    aliases.extend(KeyAlias::internal());
    for application in ["PMS", "REGISTRATION"] {
        aliases.push(alias(application, ""));
        aliases.extend((0..base_keys).map(|number| alias(application, &format!("{number}_1"))));
    }
    aliases
}

/// Carries a plan out and holds the laws on the way.
fn carry_out(keys: &mut NewestKeys, plan: &[Step], now: Timestamp) {
    for Step { at, alias, event } in plan {
        let Event::Renewed(renewed) = event else { panic!("a plan only renews") };
        let before = keys[alias];
        assert_eq!((*at, renewed.generation), (now, before.generation + 1), "{alias}");
        assert!(renewed.period.not_before <= now, "{alias}: in force at once");
        assert!(renewed.period.not_after > before.period.not_after, "{alias}: every successor lives longer");
        if let Some(issuer) = alias.issuer() {
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
        carry_out(&mut keys, &plan, now);
        if !plan.is_empty() {
            assert_eq!(due(&policies, &keys, now), [], "a plan that was carried out is empty");
        }
        for Step { alias, .. } in &plan {
            let kind = match alias.role() {
                AliasRole::Base => "base",
                AliasRole::Curve(_) | AliasRole::Internal | AliasRole::Sign => "own",
                AliasRole::Module if alias.application.as_str() == "PMS" => "PMS",
                AliasRole::Module => "REGISTRATION",
                AliasRole::Root => "ROOT",
            };
            *rotations.entry(kind).or_default() += 1;
            let Event::Renewed(NewestKey { period, .. }) = keys_event(&plan, alias) else { continue };
            // Full lives: nothing is cut short by its issuer.
            assert_eq!(period.not_after, now.plus_days(policies.periods(alias).unwrap().validity_days));
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
    ]);
    assert_eq!(rotations, expected);
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
                let mut above = std::iter::successors(Some(alias.clone()), KeyAlias::issuer);
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
