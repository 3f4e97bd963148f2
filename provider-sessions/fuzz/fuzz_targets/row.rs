#![no_main]
//! Whatever stands in a row: refused with a reason, or good to be used.

use libfuzzer_sys::fuzz_target;
use provider_sessions::{Provider, Scanner, Size};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let row = match Provider::parse(text) {
        Ok(row) => row,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let faults = row.faults();
    assert!(faults.iter().all(|fault| !fault.field.is_empty() && !fault.problem.is_empty()));
    if !faults.is_empty() {
        return;
    }
    assert!(row.method(None).is_some());
    for file in &row.home.credentials {
        assert!(!file.starts_with('/') && !file.split('/').any(|part| part == ".."), "{file}");
    }
    let mut scanner = Scanner::for_method(&row, &row.methods[0], Size { cols: 80, rows: 24 });
    scanner.push(text.as_bytes());
    scanner.finish();
});
