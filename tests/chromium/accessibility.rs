//! What holds of every page: it can be read, named and reached, and it fits.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Chromium;

const CHECKS: &str = include_str!("accessibility.js");

/// Where pictures of every page go, if somebody wants to look at them.
const PICTURES: &str = "OSTIARY_TEST_SCREENSHOTS";

/// The narrowest phone, or a page at four times its size (WCAG 2.2 section 1.4.10).
const NARROW: u32 = 320;

impl Chromium {
    /// Asserts that the page that is shown is fit for everybody, in light and dark, on a desktop and a phone.
    pub async fn assert_fit(&self, name: &str) {
        for scheme in ["light", "dark"] {
            let wanted = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
            self.devtools("Emulation.setEmulatedMedia", wanted).await;
            self.resize(NARROW, 640, false).await;
            let width = self.run("return document.documentElement.scrollWidth").await;
            assert!(width.as_u64() <= Some(NARROW.into()), "{name} is {width} wide on a phone ({scheme})");
            let problems = self.run(CHECKS).await;
            assert_eq!(problems, json!([]), "{name} on a phone ({scheme}): {problems:#}");
            self.take_picture(name, scheme, 390, 844).await;
            self.take_picture(name, scheme, 1280, 800).await;
        }
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": [] })).await;
        self.devtools("Emulation.clearDeviceMetricsOverride", json!({})).await;
    }

    /// Asserts that the background follows the person's choice of light or dark.
    pub async fn assert_dark_is_dark(&self) {
        let mut grounds = Vec::new();
        for scheme in ["light", "dark"] {
            let wanted = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
            self.devtools("Emulation.setEmulatedMedia", wanted).await;
            grounds.push(self.run("return getComputedStyle(document.body).backgroundColor").await);
        }
        assert_ne!(grounds[0], grounds[1]);
    }

    async fn resize(&self, width: u32, height: u32, is_phone: bool) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    async fn take_picture(&self, name: &str, scheme: &str, width: u32, height: u32) {
        let Some(folder) = std::env::var_os(PICTURES).map(PathBuf::from) else {
            return;
        };
        self.resize(width, height, width < 600).await;
        let whole = json!({ "captureBeyondViewport": true, "format": "png" });
        let Value::String(picture) = self.devtools("Page.captureScreenshot", whole).await["data"].take() else {
            panic!("a picture")
        };
        let file = folder.join(format!("{name}-{width}-{scheme}.png"));
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(file, STANDARD.decode(picture).expect("base64")).expect("it is written");
    }
}
