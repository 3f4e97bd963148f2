//! The claim rules once more, written apart from the verifier and plainly: whatever a rightly
//! signed token says, both must agree, and the verifier's reason must be one of the faults found.

#[path = "support/clock.rs"]
mod clock;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use clock::SetClock;
use proptest::prelude::*;
use proptest::sample::select;
use room_auth::issuer::{Issuer, IssuerKey};
use room_auth::{Algorithm, Clock, Credential, IssuerPolicy, Verifier};
use serde_json::{Map, Value, json};

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "quoroom-runtime";
const INSTANCE: &str = "inst-1";

static SIGNER: LazyLock<Issuer> =
    LazyLock::new(|| Issuer::new(ISSUER, IssuerKey::generate(Algorithm::EdDsa).expect("a key")));

/// What the policy of a case allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Rules {
    leeway: i64,
    life: i64,
    service: bool,
}

/// Every fault of a claim set, by the verifier's names for them. None is taken.
fn faults(claims: &Map<String, Value>, rules: Rules) -> Vec<&'static str> {
    let mut faults = Vec::new();
    let mut fault = |is: bool, name| {
        if is {
            faults.push(name);
        }
    };
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    fault(text("iss") != Some(ISSUER), "unknown_issuer");
    let aud_is_ours = match &claims.get("aud") {
        Some(Value::String(one)) => one == AUDIENCE,
        Some(Value::Array(many)) => {
            many.iter().all(Value::is_string) && many.iter().any(|one| one == AUDIENCE)
        }
        _ => false,
    };
    fault(!aud_is_ours, "audience");
    fault(text("instanceId") != Some(INSTANCE), "instance");

    let is_date = |value: &Value| value.as_i64().is_some_and(|date| date >= 0);
    let date = |name: &str| claims.get(name).and_then(Value::as_i64).filter(|date| *date >= 0);
    let (exp, iat) = (date("exp"), date("iat"));
    fault(exp.is_none() || iat.is_none(), "dates");
    fault(claims.get("nbf").is_some_and(|nbf| !is_date(nbf)), "dates");
    if let (Some(exp), Some(iat)) = (exp, iat) {
        fault(exp <= iat || exp - iat > rules.life, "lifetime");
        fault(NOW >= exp + rules.leeway, "expired");
        fault(iat > NOW + rules.leeway, "issued_in_future");
    }
    fault(date("nbf").is_some_and(|nbf| nbf > NOW + rules.leeway), "not_yet_valid");

    let is_name = |name: &str| {
        let blank = name.trim().is_empty();
        !blank && name.chars().count() <= 255 && !name.chars().any(char::is_control)
    };
    fault(!text("sub").is_some_and(is_name), "subject");
    for name in ["jti", "sid"] {
        fault(claims.contains_key(name) && !text(name).is_some_and(is_name), "claim");
    }
    match text("role") {
        Some("owner" | "admin" | "member" | "viewer") => {}
        Some("control") => fault(!rules.service, "service_not_allowed"),
        _ => fault(true, "role"),
    }
    faults
}

/// A value, most often the right one.
fn mostly(right: Value, others: Vec<Value>) -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        24 => Just(Some(right)),
        3 => select(others).prop_map(Some),
        1 => Just(None),
    ]
}

fn odd(text: &str) -> Vec<Value> {
    vec![
        Value::Null,
        json!(7),
        json!(true),
        json!([text]),
        json!({ "v": text }),
        json!(""),
        json!(format!("{text} ")),
        json!(text.to_uppercase()),
        json!("*"),
    ]
}

fn date(edges: Vec<i64>) -> impl Strategy<Value = Option<Value>> {
    let right = prop_oneof![
        3 => select(edges).prop_map(|offset| json!(NOW + offset)),
        1 => (-200_i64..200).prop_map(|offset| json!(NOW + offset)),
    ];
    let odd =
        select(vec![Value::Null, json!(NOW.to_string()), json!(-1), json!([NOW]), json!(true)]);
    prop_oneof![12 => right.prop_map(Some), 1 => odd.prop_map(Some), 1 => Just(None)]
}

fn rules() -> impl Strategy<Value = Rules> {
    (select(vec![0, 1, 30, 120]), select(vec![60, 3600, 86400]), any::<bool>())
        .prop_map(|(leeway, life, service)| Rules { leeway, life, service })
}

/// Claims whose dates stand at the edges of these rules.
fn case() -> impl Strategy<Value = (Rules, Map<String, Value>)> {
    rules().prop_flat_map(|rules| {
        let Rules { leeway, life, .. } = rules;
        let aud =
            [odd(AUDIENCE), vec![json!([]), json!([AUDIENCE, "x"]), json!(["x", AUDIENCE, 1])]];
        let roles = ["owner", "admin", "member", "viewer"];
        let claims = (
            mostly(json!(ISSUER), odd(ISSUER)),
            mostly(json!(AUDIENCE), aud.concat()),
            mostly(json!(INSTANCE), odd(INSTANCE)),
            select(roles.to_vec()).prop_flat_map(|role| {
                mostly(json!(role), [odd(role), vec![json!("control"); 6]].concat())
            }),
            mostly(
                json!("user-1"),
                [
                    odd("user-1"),
                    vec![
                        json!("s".repeat(255)),
                        json!("é".repeat(255)),
                        json!("s".repeat(256)),
                        json!("é".repeat(256)),
                        json!("a\u{7f}"),
                        json!("a\u{85}"),
                        json!("\u{3000}"),
                    ],
                ]
                .concat(),
            ),
            date(vec![-10, -60, 0, leeway, leeway + 1, leeway - 1, -life, 60 - life, 59 - life]),
            date(vec![
                60,
                1,
                0,
                -leeway,
                1 - leeway,
                -leeway - 1,
                life - 10,
                life - 60,
                life - 59,
                life,
            ]),
            prop_oneof![3 => Just(None), 2 => date(vec![0, leeway, leeway + 1, leeway - 1, -5])],
            prop_oneof![
                2 => Just(None),
                4 => mostly(json!("id-1"), [odd("id-1"), vec![json!("é".repeat(256))]].concat()),
            ],
            prop_oneof![4 => Just(None), 2 => mostly(json!("sid-1"), odd("sid-1"))],
        );
        claims.prop_map(move |(iss, aud, instance, role, sub, iat, exp, nbf, jti, sid)| {
            let members = [
                ("iss", iss),
                ("aud", aud),
                ("instanceId", instance),
                ("role", role),
                ("sub", sub),
                ("iat", iat),
                ("exp", exp),
                ("nbf", nbf),
                ("jti", jti),
                ("sid", sid),
            ];
            let claims = members
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect();
            (rules, claims)
        })
    })
}

/// One verifier for each set of rules.
static VERIFIERS: LazyLock<Mutex<HashMap<Rules, Arc<Verifier>>>> = LazyLock::new(Mutex::default);

fn verifier(rules: Rules) -> Arc<Verifier> {
    let mut made = VERIFIERS.lock().unwrap_or_else(PoisonError::into_inner);
    let verifier = made.entry(rules).or_insert_with(|| {
        let seconds = |seconds: i64| Duration::from_secs(seconds.try_into().expect("not negative"));
        let policy = IssuerPolicy::static_keys(ISSUER, SIGNER.key_set().expect("one key"))
            .leeway(seconds(rules.leeway))
            .max_lifetime(seconds(rules.life))
            .service(rules.service);
        let clock = SetClock::at(0);
        clock.set(NOW.try_into().expect("after 1970"));
        let builder = Verifier::builder(INSTANCE).issuer(policy).clock(clock as Arc<dyn Clock>);
        Arc::new(builder.build().expect("a sound policy"))
    });
    Arc::clone(verifier)
}

fn verify(claims: &Map<String, Value>, rules: Rules) -> Result<(), String> {
    let key = SIGNER.key();
    let header = json!({ "alg": "EdDSA", "kid": key.kid() }).to_string();
    let token = key.sign(header, serde_json::to_string(claims).expect("JSON")).expect("signed");
    match verifier(rules).verify(Credential::Bearer(&token)) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.reason().code().to_owned()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn two_readings_of_the_rules_agree((rules, claims) in case()) {
        let faults = faults(&claims, rules);
        match verify(&claims, rules) {
            Ok(()) => prop_assert!(faults.is_empty(), "accepted with {faults:?}"),
            Err(reason) => prop_assert!(
                faults.contains(&reason.as_str()),
                "refused for {reason}, found {faults:?}"
            ),
        }
    }
}

/// The cases above would prove little if next to none of them were accepted.
#[test]
fn the_cases_are_balanced() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let cases = 2000;
    let sound = (0..cases)
        .filter(|_| {
            let (rules, claims) = case().new_tree(&mut runner).expect("a case").current();
            faults(&claims, rules).is_empty()
        })
        .count();
    assert!((cases / 20..cases / 2).contains(&sound), "{sound} of {cases} are valid");
}
