use super::super::{Config, Environment, Faults, Flags};
use super::*;

/// The least a hosted Room is told, in alphabetical order.
const LEAST: [(&str, &str); 7] = [
    ("HOME", "/home/ada"),
    ("ROOM_CLIENT_IP", "direct"),
    ("ROOM_INSTANCE_ID", "i-1"),
    ("ROOM_JWKS_URL", "https://id.example/jwks.json"),
    ("ROOM_JWT_ISSUER", "https://id.example"),
    ("ROOM_MODE", "cloud"),
    ("ROOM_PUBLIC_URL", "https://room.example"),
];

/// The least with some values changed; an empty one is as if it were not there.
fn load(changes: &[(&str, &str)], toml: &str) -> Result<Config, Faults> {
    let rows = LEAST.iter().chain(changes);
    let environment: Environment =
        rows.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::load(&Flags::new(), &environment, Some(toml))
}

fn cloud(changes: &[(&str, &str)], toml: &str) -> Cloud {
    *load(changes, toml).unwrap_or_else(|faults| panic!("{faults}")).cloud.unwrap()
}

#[track_caller]
fn check_fault(changes: &[(&str, &str)], name: &str, says: &str) {
    let faults = load(changes, "").unwrap_err();
    let named: Vec<_> = faults.0.iter().map(|fault| fault.name.as_str()).collect();
    assert_eq!(named, [name], "{faults}");
    assert!(faults.to_string().contains(says), "{faults}");
}

#[test]
fn the_least_is_a_safe_room() {
    let config = load(&[], "").unwrap();
    assert_eq!(config.bind, Bind::Only("0.0.0.0".parse().unwrap()));
    assert_eq!(config.provider_home, std::path::Path::new("/home/ada/.room/home"));
    assert!(!config.own_home);
    assert_eq!(config.instance_id.as_deref(), Some("i-1"));
    let cloud = config.cloud.unwrap();
    assert_eq!(cloud.public_url, "https://room.example");
    assert!(cloud.is_secure() && !cloud.query_token && !cloud.standalone && !cloud.allow_root);
    assert_eq!(cloud.issuers[0].audience, "quoroom-runtime");
    assert!(!cloud.issuers[0].service);
    assert_eq!(cloud.idle_close, Duration::from_mins(10));
    assert_eq!(cloud.idle_exit, None);
}

#[test]
fn what_would_be_insecure_is_refused_by_name() {
    let check = |name, value, says| check_fault(&[(name, value)], name, says);
    check("ROOM_PUBLIC_URL", "", "is required");
    check("ROOM_PUBLIC_URL", "http://room.example", "loopback ROOM_BIND");
    check("ROOM_PUBLIC_URL", "https://room.example/path", "scheme and host alone");
    check("ROOM_PUBLIC_URL", "https://ada@room.example", "scheme and host alone");
    check("ROOM_ALLOWED_ORIGINS", "http://app.example", "not https");
    check("ROOM_ALLOWED_ORIGINS", "*", "not an address");
    check("ROOM_ALLOWED_ORIGINS", "https://*.example", "scheme and host alone");
    check("ROOM_ALLOWED_ORIGINS", "null", "not an address");
    check("ROOM_INSTANCE_ID", "", "is required with an issuer");
    check("ROOM_JWKS_URL", "", "is required with ROOM_JWT_ISSUER");
    check("ROOM_JWKS_URL", "http://id.example/keys", "not a plain https");
    check("ROOM_JWKS_URL", "http://127.0.0.1:1/keys", "ROOM_ALLOW_LOOPBACK_JWKS=1");
    check("ROOM_JWKS_URL", "https://a:b@id.example/keys", "not a plain https");
    check("ROOM_JWT_ISSUER", "", "is required with ROOM_JWKS_URL");
    check("ROOM_JWT_ALGORITHMS", "HS256", "RS256, ES256 and EdDSA");
    check("ROOM_JWT_ALGORITHMS", "RS256,none", "RS256, ES256 and EdDSA");
    check("ROOM_JWT_SECRET", "short", "at least 32");
    check("ROOM_JWT_SECRET", "0123456789abcdef0123456789abcdef", "ROOM_ALLOW_LEGACY_HMAC=1");
    check("ROOM_ALLOW_QUERY_TOKEN", "1", "legacy issuer alone");
    check_fault(&[("ROOM_CF_ACCESS_TEAM", "team")], "ROOM_CF_ACCESS_AUD", "is required");
    check_fault(&[("ROOM_CF_ACCESS_AUD", "tag")], "ROOM_CF_ACCESS_TEAM", "is required");
    check("ROOM_CLIENT_IP", "", "is required");
    check("ROOM_CLIENT_IP", "x-forwarded-for", "direct, fly");
    check("ROOM_CLIENT_IP", "fly", "outside Fly");
    check("ROOM_BIND", "::", "private network");
    check("ROOM_AUTH_FAILURES_PER_MINUTE", "off", "loopback bind");
    check("ROOM_IDLE_EXIT", "4", "5 to 1440, in minutes, or `off`");
    check("ROOM_LOCAL_HANDSHAKE", "same-uid", "belongs to local mode");
    check("ROOM_STANDALONE", "yes", "write 1");
}

#[test]
fn a_room_nobody_could_enter_does_not_start() {
    let alone = [("ROOM_JWT_ISSUER", ""), ("ROOM_JWKS_URL", ""), ("ROOM_INSTANCE_ID", "")];
    check_fault(&alone, "ROOM_MODE", "ROOM_STANDALONE=1");
    let standalone: Vec<_> = alone.into_iter().chain([("ROOM_STANDALONE", "1")]).collect();
    let cloud = cloud(&standalone, "");
    assert!(cloud.standalone && cloud.issuers.is_empty());
    assert_eq!(cloud.instance_id, "room.example", "its name where nobody gave it another");
}

#[test]
fn a_control_plane_of_today_needs_its_own_names_alone() {
    let rows = [
        ("ROOM_JWT_ISSUER", ""),
        ("ROOM_JWKS_URL", ""),
        ("ROOM_INSTANCE_ID", ""),
        ("ROOM_MODE", ""),
        ("QUOROOM_DEPLOYMENT_MODE", "cloud"),
        ("QUOROOM_CLOUD_INSTANCE_ID", "i-7"),
        ("QUOROOM_CLOUD_JWT_SECRET", "0123456789abcdef0123456789abcdef"),
        ("QUOROOM_ALLOWED_ORIGINS", "https://app.example,https://two.example:8443/"),
        ("ROOM_ALLOW_QUERY_TOKEN", "1"),
        ("FLY_APP_NAME", "room-7"),
        ("ROOM_CLIENT_IP", "fly"),
    ];
    let cloud = cloud(&rows, "");
    assert_eq!(cloud.instance_id, "i-7");
    assert_eq!(cloud.allowed_origins, ["https://app.example", "https://two.example:8443"]);
    assert!(cloud.query_token && cloud.legacy_secrets.len() == 1);
    assert_eq!(cloud.client_ip, ClientAddress::Fly);
}

#[test]
fn a_demo_on_this_machine_may_speak_http() {
    let rows = [
        ("ROOM_BIND", "127.0.0.1"),
        ("ROOM_PUBLIC_URL", "http://localhost:3700"),
        ("ROOM_JWKS_URL", "http://127.0.0.1:4000/jwks"),
        ("ROOM_ALLOW_LOOPBACK_JWKS", "1"),
        ("ROOM_AUTH_FAILURES_PER_MINUTE", "off"),
        ("ROOM_CLIENT_IP", "fly"),
    ];
    let cloud = cloud(&rows, "");
    assert!(!cloud.is_secure());
    assert_eq!(cloud.public_url, "http://localhost:3700");
}

#[test]
fn further_issuers_and_people_stand_in_the_file() {
    let toml = r#"
        [[issuer]]
        issuer = "https://two.example"
        jwks_url = "https://two.example/keys"
        audience = "rooms"
        algorithms = ["EdDSA"]
        service = true

        [cloudflare_people]
        "ada@example.com" = "owner"
    "#;
    let access = [("ROOM_CF_ACCESS_TEAM", "team"), ("ROOM_CF_ACCESS_AUD", "tag")];
    let cloud = cloud(&access, toml);
    assert_eq!(cloud.issuers.len(), 2);
    assert_eq!(cloud.issuers[1].algorithms(), [Algorithm::EdDsa]);
    assert_eq!(cloud.cloudflare.unwrap().people["ada@example.com"], Role::Owner);
    let check = |toml: &str, says: &str| {
        let faults = load(&access, toml).unwrap_err().to_string();
        assert!(faults.contains(says), "{faults}");
    };
    check("", "lets nobody in");
    check("[cloudflare_people]\n\"ada@example.com\" = \"root\"", "no role");
    check("[[issuer]]\nissuer = \"https://id.example\"", "room.toml: issuer");
    check(
        "[cloudflare_people]\n\"a@b.c\" = \"owner\"\n[[issuer]]\nissuer = \"https://id.example\"\n\
         jwks_url = \"https://id.example/k\"",
        "stands there twice",
    );
}

#[test]
fn no_secret_is_shown() {
    let secret = "0123456789abcdef0123456789abcdef";
    let both = format!("{secret},{secret}");
    let rows = [("ROOM_JWT_SECRET", both.as_str()), ("ROOM_ALLOW_LEGACY_HMAC", "1")];
    let config = load(&rows, "").unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains(secret), "{shown}");
    let faults = load(&[("ROOM_JWT_SECRET", secret)], "").unwrap_err().to_string();
    assert!(!faults.contains(secret), "{faults}");
    assert_eq!(config.cloud.unwrap().legacy_secrets.len(), 2);
}
