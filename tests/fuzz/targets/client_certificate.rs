//! The certificates of clients and the headers in which proxies pass them on.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ostiary::model::client::ClientSettings;
use ostiary::protocol::mtls::{Certificate, header, registered_names};

fuzz_target!(|data: &[u8]| {
    let mut shown = vec![vec![data.to_vec()]];
    if let Ok(text) = std::str::from_utf8(data) {
        let (first, second) = text.split_once('\n').unwrap_or((text, ""));
        let read =
            [header::client_cert(first, &[second]), header::nginx(text), header::envoy(text), header::traefik(text)];
        for found in read.into_iter().flatten() {
            assert!(!found.is_empty() && found.iter().all(|der| !der.is_empty()));
            shown.push(found);
        }
        let settings =
            ClientSettings { tls_client_auth_subject_dn: Some(text.to_owned()), ..ClientSettings::default() };
        for name in registered_names(&settings) {
            name.is_readable();
        }
    }
    for certificate in shown.into_iter().filter_map(Certificate::parse) {
        assert_eq!(certificate.thumbprint().len(), 43);
        assert!(Certificate::parse(vec![certificate.der().to_vec()]).is_some());
    }
});
