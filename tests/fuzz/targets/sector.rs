//! What is at a `sector_identifier_uri`, and the sector of redirect URIs: an array that is accepted has every one of them, and a
//! sector is a host that is in each.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ostiary::model::client::ClientSettings;
use ostiary::protocol::sector::{check_document, https_host, sector};

fuzz_target!(|data: &[u8]| {
    // The redirect URIs, one a line, then an empty line and the document.
    let Ok(text) = str::from_utf8(data) else { return };
    let (uris, document) = text.split_once("\n\n").unwrap_or((text, ""));
    let redirect_uris: Vec<String> = uris.lines().map(ToOwned::to_owned).collect();
    if check_document(document.as_bytes(), &redirect_uris).is_ok() {
        let listed: Vec<String> = serde_json::from_str(document).expect("an array of texts");
        assert!(redirect_uris.iter().all(|uri| listed.contains(uri)));
    }
    let settings = ClientSettings { redirect_uris, ..ClientSettings::default() };
    if let Some(host) = sector(&settings) {
        assert!(!host.is_empty() && host != "localhost" && host != "127.0.0.1" && host != "[::1]");
        assert!(!settings.redirect_uris.is_empty());
        assert!(settings.redirect_uris.iter().all(|uri| https_host(uri).as_ref() == Some(&host)));
    }
});
