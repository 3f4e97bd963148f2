"""Hostile payloads, each rightly signed: how it is written, then each claim in turn."""

from crafting import (
    dumps,
)
from rows import (
    AUDIENCE,
    INSTANCE,
    ISSUER,
    NOW,
    OTHER_ISSUER,
    claims,
    spoiled,
    token,
    with_raw,
)

WRONG_TYPES = {"null": "null", "number": "7", "true": "true", "array": '["%s"]', "object": '{"v":"%s"}', "empty": '""'}


def add_rows(corpus):
    payload_json(corpus)
    mistyped_claims(corpus)
    issuers(corpus)
    audiences(corpus)
    instances(corpus)
    roles(corpus)
    subjects(corpus)
    times(corpus)


def payload_json(corpus):
    good = dumps(claims("payload"))
    half = good[:-1]
    for name, text in {
        "payload_positional_array": [NOW + 600, NOW - 60, "user-1", ISSUER, AUDIENCE, INSTANCE, "owner"],
        "payload_array_of_object": f"[{good}]",
        "payload_string": dumps(good),
        "payload_number": "1",
        "payload_null": "null",
        "payload_true": "true",
        "payload_empty_object": "{}",
        "payload_trailing_comma": half + ",}",
        "payload_trailing_garbage": good + "x",
        "payload_two_objects": good + good,
        "payload_comment": good + "//",
        "payload_truncated": half,
        "payload_bom": "\ufeff" + good,
        "payload_utf16": good.encode("utf-16-le"),
        "payload_single_quotes": good.replace('"', "'"),
        "payload_nul_tail": good + "\0",
        "payload_bad_utf8": half.encode() + b',"x":"\xff"}',
        "payload_bad_utf8_sub": good.encode().replace(b"user-1", b"us\xc3r"),
        "payload_overlong_utf8": half.encode() + b',"x":"\xc0\x80"}',
        "payload_surrogate_utf8": half.encode() + b',"x":"\xed\xa0\x80"}',
        "payload_lone_surrogate": half + r',"x":"\ud800"}',
        "payload_raw_newline": half + ',"x":"a\nb"}',
        "payload_nan": half + ',"x":NaN}',
        "payload_infinity": half + ',"x":-Infinity}',
        "payload_leading_zero": half + ',"x":01}',
        "payload_hex": half + ',"x":0x10}',
        "payload_plus": half + ',"x":+1}',
        "payload_deep": half + ',"x":' + "[" * 1500 + "]" * 1500 + "}",
        "payload_deep_objects": half + ',"x":' + '{"a":' * 500 + "1" + "}" * 500 + "}",
        "payload_not_json": "iss=quoroom&sub=user-1",
        "payload_yaml": "iss: quoroom",
        "payload_cbor": b"\xa1\x01\x63foo",
    }.items():
        reason = "unknown_issuer" if name == "payload_empty_object" else "payload"
        corpus.add(name, "payload-json", token(text), reason)
    for name, text in {
        "claims_duplicate_role": half + ',"role":"owner"}',
        "claims_duplicate_sub": half + ',"sub":"user-2"}',
        "claims_duplicate_exp": half + f',"exp":{NOW + 999}}}',
        "claims_duplicate_iss": half + f',"iss":"{ISSUER}"}}',
        "claims_duplicate_aud": half + f',"aud":"{AUDIENCE}"}}',
        "claims_duplicate_instance": half + f',"instanceId":"{INSTANCE}"}}',
        "claims_duplicate_iss_first": '{"iss":"https://attacker.example",' + good[1:],
        "claims_duplicate_role_first": '{"role":"viewer",' + good[1:],
        "claims_duplicate_escaped": half + r',"r\u006fle":"owner"}',
        "claims_duplicate_unknown": half + ',"x":1,"x":1}',
        "claims_duplicate_nested": half + ',"x":{"y":1,"y":1}}',
        "claims_duplicate_deep": half + ',"x":[{"a":[{"y":1,"y":1}]}]}',
        "claims_duplicate_null": half + ',"role":null}',
        "claims_duplicate_nbf": half + f',"nbf":1,"nbf":{NOW + 9999}}}',
        "claims_duplicate_empty_name": half + ',"":1,"":2}',
    }.items():
        corpus.add(name, "duplicate", token(text), "payload")
    inner = dumps(good)
    for name, text in {
        "claims_raw_value": '{"$serde_json::private::RawValue":' + inner + "}",
        "claims_raw_value_first": '{"$serde_json::private::RawValue":' + inner + "," + good[1:],
        "claims_raw_value_last": half + ',"$serde_json::private::RawValue":' + inner + "}",
        "claims_raw_value_nested": half + ',"x":{"$serde_json::private::RawValue":"{}"}}',
        "claims_number_magic_exp": with_raw("payload", "exp", '{"$serde_json::private::Number":"1800000600"}'),
        "claims_number_magic_iat": with_raw("payload", "iat", '{"$serde_json::private::Number":"1799999940"}'),
        "claims_raw_value_sub": with_raw("payload", "sub", '{"$serde_json::private::RawValue":"\\"user-1\\""}'),
        "claims_raw_value_role": with_raw("payload", "role", '{"$serde_json::private::RawValue":"\\"owner\\""}'),
    }.items():
        corpus.add(name, "serde-magic", token(text), "payload")


def mistyped_claims(corpus):
    plain = claims("mistyped")
    missing = {
        "iss": "unknown_issuer",
        "aud": "audience",
        "sub": "subject",
        "instanceId": "instance",
        "role": "role",
        "exp": "dates",
        "iat": "dates",
    }
    for member, reason in missing.items():
        name = f"{member.lower()}_missing"
        corpus.add(name, "missing-claim", spoiled(name, **{member: None}), reason)
        for kind, raw in WRONG_TYPES.items():
            if member == "aud" and kind == "array":
                continue
            value = plain[member]
            if kind == "array" and member in ("exp", "iat"):
                raw = f"[{value}]"
            elif kind == "object" and member in ("exp", "iat"):
                raw = '{"v":%d}' % value
            elif "%s" in raw:
                raw = raw % value
            if kind == "number" and member in ("exp", "iat"):
                raw = f'"{value}"'  # the digits as a string
            name = f"{member.lower()}_{kind if not (kind == 'number' and member in ('exp', 'iat')) else 'string'}"
            corpus.add(name, "mistyped-claim", token(with_raw(name, member, raw)), reason)
    for member in ("nbf", "jti"):
        for kind, raw in WRONG_TYPES.items():
            if (member, kind) in (("nbf", "number"), ("jti", "none")):
                continue
            raw = raw % 1 if "%s" in raw else raw
            name = f"{member}_{kind}"
            corpus.add(
                name, "mistyped-claim", token(with_raw(name, member, raw)), "claim" if member == "jti" else "dates"
            )
    name = "nbf_string"
    corpus.add(name, "mistyped-claim", spoiled(name, nbf=str(NOW - 60)), "dates")


def issuers(corpus):
    for name, iss in {
        "iss_unknown": "https://attacker.example",
        "iss_case": "https://Control.room.example",
        "iss_scheme_case": "HTTPS://control.room.example",
        "iss_slash": ISSUER + "/",
        "iss_http": "http://control.room.example",
        "iss_suffix": ISSUER + ".attacker.example",
        "iss_userinfo": ISSUER + "@attacker.example",
        "iss_port": ISSUER + ":443",
        "iss_prefix": "https://control.room.exampl",
        "iss_leading_space": " " + ISSUER,
        "iss_trailing_space": ISSUER + " ",
        "iss_nul": ISSUER + "\0",
        "iss_newline": ISSUER + "\n",
        "iss_query": ISSUER + "?x",
        "iss_fragment": ISSUER + "#",
        "iss_trailing_dot": "https://control.room.example.",
        "iss_homoglyph": "https://cоntrol.room.example",
        "iss_path": ISSUER + "/a/..",
        "iss_csv": ISSUER + "," + OTHER_ISSUER,
        "iss_bare_host": "control.room.example",
        "iss_legacy_not_configured": "quoroom-cloud",
        "iss_access_not_configured": "https://acme.cloudflareaccess.com",
        "iss_room_itself": f"room:{INSTANCE}",
    }.items():
        corpus.add(name, "issuer", spoiled(name, iss=iss), "unknown_issuer")
    for name, iss in {
        "iss_array_two": [ISSUER, "https://attacker.example"],
        "iss_array_attacker_first": ["https://attacker.example", ISSUER],
        "iss_nested": [[ISSUER]],
        "iss_array_empty": [],
    }.items():
        corpus.add(name, "issuer", spoiled(name, iss=iss), "unknown_issuer")


def audiences(corpus):
    for name, aud in {
        "aud_wrong": "other-runtime",
        "aud_case": AUDIENCE.upper(),
        "aud_prefix": AUDIENCE[:-1],
        "aud_longer": AUDIENCE + "-2",
        "aud_trailing_space": AUDIENCE + " ",
        "aud_leading_space": " " + AUDIENCE,
        "aud_slash": AUDIENCE + "/",
        "aud_nul": AUDIENCE + "\0",
        "aud_csv": f"{AUDIENCE},other",
        "aud_space_list": f"other {AUDIENCE}",
        "aud_wildcard": "*",
        "aud_json_in_string": dumps([AUDIENCE]),
        "aud_array_empty": [],
        "aud_array_others": ["a", "b"],
        "aud_nested": [[AUDIENCE]],
        "aud_array_object": [{"aud": AUDIENCE}],
        "aud_array_case": [AUDIENCE.title()],
        "aud_array_mixed_number": [AUDIENCE, 7],
        "aud_array_mixed_null": [None, AUDIENCE],
        "aud_array_mixed_nested": [AUDIENCE, [AUDIENCE]],
        "aud_issuer": ISSUER,
        "aud_instance": INSTANCE,
        "aud_array_empty_string": [""],
    }.items():
        corpus.add(name, "audience", spoiled(name, aud=aud), "audience")


def instances(corpus):
    for name, instance in {
        "instance_wrong": "inst-0000",
        "instance_case": INSTANCE.upper(),
        "instance_prefix": INSTANCE[:-1],
        "instance_longer": INSTANCE + "0",
        "instance_wildcard": "*",
        "instance_trailing_space": INSTANCE + " ",
        "instance_csv": f"{INSTANCE},inst-0000",
        "instance_nul": INSTANCE + "\0",
        "instance_array_two": [INSTANCE, "inst-0000"],
        "instance_nested": {"id": INSTANCE},
        "instance_glob": "inst-*",
        "instance_regex": ".*",
        "instance_homoglyph": "іnst-7f3a",
    }.items():
        corpus.add(name, "instance", spoiled(name, instanceId=instance), "instance")
    for name, other in (
        ("instance_snake_case_only", "instance_id"),
        ("instance_lower_case_only", "instanceid"),
        ("instance_short_only", "instance"),
    ):
        payload = claims(name, instanceId=None)
        payload[other] = INSTANCE
        corpus.add(name, "instance", token(payload), "instance")


def roles(corpus):
    for name, role in {
        "role_typo": "ownr",
        "role_plural": "owners",
        "role_case": "Owner",
        "role_upper": "OWNER",
        "role_leading_space": " owner",
        "role_trailing_space": "owner ",
        "role_nul": "owner\0",
        "role_csv": "owner,admin",
        "role_user": "user",
        "role_root": "root",
        "role_superuser": "superuser",
        "role_wildcard": "*",
        "role_service": "service",
        "role_nobody": "none",
        "role_array_two": ["viewer", "owner"],
        "role_array_empty": [],
        "role_nested": {"role": "owner"},
        "role_homoglyph": "оwner",
    }.items():
        corpus.add(name, "role", spoiled(name, role=role), "role")
    corpus.add("role_control", "role", spoiled("role_control", role="control"), "service_not_allowed")
    name = "role_plural_claim_only"
    payload = claims(name, role=None)
    payload["roles"] = ["owner"]
    corpus.add(name, "role", token(payload), "role")
    for name, role in (
        ("role_control_case", "Control"),
        ("role_service_name", "service"),
        ("role_control_array", ["control"]),
    ):
        corpus.add(name, "role", token(claims(name, role=role)), "role", setup="service")


def subjects(corpus):
    for name, sub in {
        "sub_space": " ",
        "sub_tabs": "\t\t",
        "sub_no_break_space": "\u00a0",
        "sub_ideographic_space": "\u3000",
        "sub_newline": "user-1\n",
        "sub_crlf": "user-1\r\nowner: yes",
        "sub_nul": "user\0-1",
        "sub_escape": "user\x1b[31m",
        "sub_delete": "user\x7f",
        "sub_c1": "user\x85",
        "sub_256": "s" * 256,
        "sub_5000": "s" * 5000,
    }.items():
        corpus.add(name, "subject", spoiled(name, sub=sub), "subject")


def times(corpus):
    for name, changes, reason in (
        ("exp_leeway_edge", {"exp": NOW - 30}, "expired"),
        ("exp_past_leeway", {"exp": NOW - 31}, "expired"),
        ("exp_hour_ago", {"iat": NOW - 7200, "exp": NOW - 3600}, "expired"),
        ("exp_year_ago", {"iat": NOW - 31536000, "exp": NOW - 31532400}, "expired"),
        ("nbf_past_leeway", {"nbf": NOW + 31}, "not_yet_valid"),
        ("nbf_tomorrow", {"nbf": NOW + 86400}, "not_yet_valid"),
        ("iat_past_leeway", {"iat": NOW + 31}, "issued_in_future"),
        ("iat_tomorrow", {"iat": NOW + 86400, "exp": NOW + 90000}, "issued_in_future"),
        ("exp_equals_iat", {"iat": NOW, "exp": NOW}, "lifetime"),
        ("exp_before_iat", {"iat": NOW + 10, "exp": NOW + 5}, "lifetime"),
        ("lifetime_24h_and_a_second", {"iat": NOW - 10, "exp": NOW - 10 + 86401}, "lifetime"),
        ("lifetime_year", {"iat": NOW, "exp": NOW + 31536000}, "lifetime"),
        ("lifetime_for_ever", {"exp": 9007199254740991}, "dates"),
        ("lifetime_milliseconds", {"iat": NOW - 60, "exp": (NOW + 600) * 1000}, "dates"),
        ("iat_zero", {"iat": 0}, "lifetime"),
        ("exp_zero", {"iat": 0, "exp": 0}, "lifetime"),
        ("exp_one", {"iat": 0, "exp": 1}, "expired"),
        ("nbf_at_exp", {"nbf": NOW + 600}, "not_yet_valid"),
    ):
        corpus.add(name, "time", spoiled(name, **changes), reason)
    for name, member, raw in (
        ("exp_2_64", "exp", "18446744073709551616"),
        ("exp_2_64_less_one", "exp", "18446744073709551615"),
        ("exp_2_63", "exp", "9223372036854775808"),
        ("exp_1e400", "exp", "1e400"),
        ("exp_1e30", "exp", "1e30"),
        ("exp_minus_one", "exp", "-1"),
        ("exp_minus_2_64", "exp", "-18446744073709551616"),
        ("exp_hex", "exp", "0x6B49D200"),
        ("exp_hex_string", "exp", '"0x6B49D200"'),
        ("exp_nan", "exp", "NaN"),
        ("exp_infinity", "exp", "Infinity"),
        ("exp_false", "exp", "false"),
        ("exp_date_string", "exp", '"2027-01-15T08:10:00Z"'),
        ("exp_minus_zero", "exp", "-0"),
        ("iat_minus_one", "iat", "-1"),
        ("iat_1e400", "iat", "1e400"),
        ("iat_minus_1e400", "iat", "-1e400"),
        ("iat_2_64", "iat", "18446744073709551616"),
        ("nbf_1e400", "nbf", "1e400"),
        ("nbf_2_64", "nbf", "18446744073709551616"),
        ("nbf_minus_one", "nbf", "-1"),
        ("other_1e400", "x", "1e400"),
        ("other_minus_1e400", "x", "-1e400"),
        ("iat_date_string", "iat", '"2027-01-15T08:00:00Z"'),
    ):
        corpus.add(
            name,
            "time-number",
            token(with_raw(name, member, raw)),
            "payload" if raw[-3:] in ("NaN", "ity", "200", "400") and raw[0] != '"' else "dates",
        )
