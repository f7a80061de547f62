//! The headers of proxies. Without a trusted proxy they say nothing, whatever they say.

#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use libfuzzer_sys::fuzz_target;
use ostiary::config::ClientIpHeaderMode;
use ostiary::http::client_ip::ClientIp;

fuzz_target!(|data: &[u8]| {
    let names = [HeaderName::from_static("x-forwarded-for"), HeaderName::from_static("forwarded")];
    let lines = data.split(|byte| *byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok());
    let headers: HeaderMap = lines.flat_map(|line| names.clone().map(|name| (name, line.clone()))).collect();
    let peer = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    let proxies: IpNet = "10.0.0.0/8".parse().expect("a network");
    let everybody: IpNet = "0.0.0.0/0".parse().expect("a network");
    for mode in [ClientIpHeaderMode::None, ClientIpHeaderMode::XForwardedFor, ClientIpHeaderMode::Forwarded] {
        assert_eq!(ClientIp::behind(peer, &headers, &[], mode).0, peer);
        for trusted in [proxies, everybody] {
            let found = ClientIp::behind(peer, &headers, &[trusted], mode);
            assert_eq!(found.0, found.0.to_canonical(), "one spelling for each address");
            assert!(!found.network().is_empty());
        }
    }
    assert_eq!(ClientIp::behind(peer, &headers, &[proxies], ClientIpHeaderMode::None).0, peer);
});
