use http::HeaderName;
use proptest::prelude::*;

use super::*;

const PROXY: &str = "10.0.0.1";

fn trusted() -> Vec<IpNet> {
    ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap()).to_vec()
}

fn client(peer: &str, mode: ClientIpHeaderMode, lines: &[&str]) -> String {
    let name = match mode {
        ClientIpHeaderMode::Forwarded => FORWARDED,
        _ => HeaderName::from_static(X_FORWARDED_FOR),
    };
    let headers = lines.iter().map(|line| (name.clone(), line.parse().unwrap())).collect();
    ClientIp::behind(peer.parse().unwrap(), &headers, &trusted(), mode).0.to_string()
}

fn x_forwarded(peer: &str, lines: &[&str]) -> String {
    client(peer, ClientIpHeaderMode::XForwardedFor, lines)
}

fn forwarded(peer: &str, lines: &[&str]) -> String {
    client(peer, ClientIpHeaderMode::Forwarded, lines)
}

#[test]
fn a_header_is_believed_only_from_a_trusted_proxy_and_only_if_configured() {
    assert_eq!(x_forwarded("203.0.113.9", &["198.51.100.7"]), "203.0.113.9");
    assert_eq!(client(PROXY, ClientIpHeaderMode::None, &["198.51.100.7"]), PROXY);
    assert_eq!(forwarded(PROXY, &[]), PROXY);
    assert_eq!(x_forwarded(PROXY, &["198.51.100.7"]), "198.51.100.7");
}

#[test]
fn the_right_end_counts_and_trusted_hops_are_skipped() {
    assert_eq!(x_forwarded(PROXY, &["1.1.1.1, 198.51.100.7"]), "198.51.100.7");
    assert_eq!(x_forwarded(PROXY, &["1.1.1.1, 198.51.100.7, 10.2.3.4,10.9.9.9"]), "198.51.100.7");
    // Lines are one list (RFC 9110 section 5.3); the last line is the nearest.
    assert_eq!(x_forwarded(PROXY, &["198.51.100.7", "10.9.9.9"]), "198.51.100.7");
    assert_eq!(x_forwarded(PROXY, &["1.1.1.1", "198.51.100.7"]), "198.51.100.7");
    // Nothing but proxies: the farthest one asked on its own behalf.
    assert_eq!(x_forwarded(PROXY, &["10.2.3.4, 10.9.9.9"]), "10.2.3.4");
}

#[test]
fn what_cannot_be_read_ends_the_walk() {
    assert_eq!(x_forwarded(PROXY, &["1.1.1.1, unknown"]), PROXY);
    assert_eq!(x_forwarded(PROXY, &["1.1.1.1, , 10.9.9.9"]), "10.9.9.9");
    assert_eq!(x_forwarded(PROXY, &[""]), PROXY);
    assert_eq!(forwarded(PROXY, &["for=1.1.1.1, for=_hidden"]), PROXY);
    assert_eq!(forwarded(PROXY, &["for=1.1.1.1, proto=https"]), PROXY);
}

#[test]
fn addresses_are_read_in_every_usual_spelling() {
    for (text, address) in [
        ("198.51.100.7:4711", "198.51.100.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
    ] {
        assert_eq!(x_forwarded("::ffff:10.0.0.1", &[text]), address);
    }
    for text in
        ["198.51.100.7:", "198.51.100.7:x", "[2001:db8::7", "[2001:db8::7]443", "[198.51.100.7]", "fe80::1%eth0"]
    {
        assert_eq!(x_forwarded(PROXY, &[text]), PROXY);
    }
}

#[test]
fn forwarded_is_read_with_its_parameters_and_quotes() {
    assert_eq!(forwarded(PROXY, &[r#"proto=https;For="[2001:db8::7]:4711";by=10.0.0.1"#]), "2001:db8::7");
    assert_eq!(forwarded(PROXY, &["for=1.1.1.1, for=198.51.100.7;proto=http, for=10.2.2.2"]), "198.51.100.7");
    assert_eq!(forwarded(PROXY, &[r#"for="198.51.100.7:80""#]), "198.51.100.7");
}

#[test]
fn a_client_cannot_quote_away_what_the_proxy_wrote() {
    for forged in ["for=\"1.1.1.1", "for=1.1.1.1;x=\"", "for=\"1.1.1.1\\\"", "\"", "for=1.1.1.1, x=\"y"] {
        assert_eq!(forwarded(PROXY, &[&format!("{forged}, for=198.51.100.7")]), "198.51.100.7");
        let quoted = format!("{forged}, for=\"[2001:db8::7]\"");
        assert_eq!(forwarded(PROXY, &[&quoted]), "2001:db8::7");
    }
}

#[test]
fn the_network_is_the_address_or_the_64_and_its_site_the_48() {
    let network = |ip: &str| ClientIp(ip.parse().unwrap()).network();
    assert_eq!(network("198.51.100.7"), Network { name: "198.51.100.7".into(), site: None });
    let (name, site) = ("2001:db8:1:2::/64".into(), Some("2001:db8:1::/48".into()));
    assert_eq!(network("2001:db8:1:2:3:4:5:6"), Network { name, site });
    assert_eq!(network("2001:db8:1:2::"), network("2001:db8:1:2:ffff:ffff:ffff:ffff"));
}

proptest! {
    #[test]
    fn no_prefix_that_a_client_sends_changes_the_answer(prefix in "[ -~]{0,40}") {
        prop_assert_eq!(x_forwarded(PROXY, &[&format!("{prefix}, 198.51.100.7")]), "198.51.100.7");
        prop_assert_eq!(x_forwarded(PROXY, &[&prefix, "198.51.100.7"]), "198.51.100.7");
        prop_assert_eq!(forwarded(PROXY, &[&format!("{prefix}, for=198.51.100.7")]), "198.51.100.7");
        prop_assert_eq!(forwarded(PROXY, &[&prefix, "for=198.51.100.7;proto=https"]), "198.51.100.7");
    }
}
