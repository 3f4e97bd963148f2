#![no_main]
//! Whatever a person pastes, beside whatever link was shown.

use libfuzzer_sys::fuzz_target;
use provider_sessions::paste::{LONGEST, Paste, clean_paste};
use provider_sessions::provider::built_in;

fuzz_target!(|data: &[u8]| {
    let Some((&[row, method, split], rest)) = data.split_first_chunk::<3>() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let rows = built_in();
    let provider = &rows[usize::from(row) % rows.len()];
    let method = &provider.methods[usize::from(method) % provider.methods.len()];
    let cut = (usize::from(split).min(text.len())..=text.len()).find(|&at| text.is_char_boundary(at));
    let (link, pasted) = text.split_at(cut.unwrap_or(0));
    let link = Some(link).filter(|link| !link.is_empty());
    match clean_paste(method, &provider.scan, link, pasted) {
        Ok(Paste::Code(code)) => {
            assert!(!code.is_empty() && code.len() <= LONGEST);
            assert!(code.bytes().all(|byte| byte.is_ascii_graphic()), "{code:?}");
            // What is typed into a terminal must not be more than one word of one line.
            assert!(!code.contains(['"', '\'', '`', '$', ';', '<', '>', '\\']), "{code:?}");
        }
        Ok(Paste::Callback(url)) => {
            assert_eq!(url.scheme(), "http");
            assert!(matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")), "{url}");
            assert!(url.port().is_some() && url.username().is_empty() && url.password().is_none());
            // Only where the link itself says that somebody listens.
            assert!(link.is_some());
        }
        Err(reason) => assert!(!reason.to_string().is_empty()),
    }
});
