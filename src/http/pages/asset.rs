//! The stylesheets, the mark and the one script: compiled in, and named by their content, so that browsers keep them for
//! good and never show a new page with an old style.

use std::fmt;

/// A file that pages refer to. Written out, it is its address.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    name: &'static str,
    extension: &'static str,
    hash: u64,
    /// Its media type.
    pub content_type: &'static str,
    /// What it holds.
    pub content: &'static [u8],
}

/// Where assets are.
pub const PREFIX: &str = "/assets/";

/// The stylesheet of every page.
pub static STYLE: Asset = Asset::new("ostiary", "css", "text/css; charset=utf-8", include_bytes!("assets/ostiary.css"));
/// What the console needs besides.
pub static CONSOLE: Asset =
    Asset::new("console", "css", "text/css; charset=utf-8", include_bytes!("assets/console.css"));
/// The mark, as the icon of a tab: a doorkeeper in an arch, which is also a keyhole.
pub static MARK: Asset = Asset::new("mark", "svg", "image/svg+xml", include_bytes!("assets/mark.svg"));
/// Presses the button of a page that only hands over.
pub static CONTINUE: Asset =
    Asset::new("continue", "js", "text/javascript; charset=utf-8", include_bytes!("assets/continue.js"));

static ALL: [&Asset; 4] = [&STYLE, &CONSOLE, &MARK, &CONTINUE];

impl Asset {
    const fn new(
        name: &'static str,
        extension: &'static str,
        content_type: &'static str,
        content: &'static [u8],
    ) -> Self {
        Self { name, extension, hash: fnv1a(content), content_type, content }
    }

    /// The asset whose address is [`PREFIX`] and `file`.
    pub fn find(file: &str) -> Option<&'static Self> {
        ALL.into_iter().find(|asset| asset.file() == file)
    }

    fn file(&self) -> String {
        format!("{}-{:016x}.{}", self.name, self.hash, self.extension)
    }
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.file())
    }
}

/// FNV-1a: it only has to differ between two builds, and it runs while compiling.
const fn fnv1a(mut content: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    while let [first, rest @ ..] = content {
        hash = (hash ^ *first as u64).wrapping_mul(0x0100_0000_01b3);
        content = rest;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_finds_its_asset_and_no_other() {
        for asset in ALL {
            let address = asset.to_string();
            let found = Asset::find(address.strip_prefix(PREFIX).unwrap()).unwrap();
            assert_eq!(found.content, asset.content);
        }
        assert!(Asset::find("ostiary.css").is_none());
        assert!(Asset::find("ostiary-0000000000000000.css").is_none());
    }

    #[test]
    fn the_hash_is_fnv1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for asset in [&STYLE, &CONSOLE, &CONTINUE] {
            let text = std::str::from_utf8(asset.content).unwrap();
            assert!(!text.contains("http") && !text.contains("url(") && !text.contains("@import"), "{asset}");
        }
    }

    /// WCAG 2.2 section 1.4.3 and 1.4.11, in light and in dark.
    #[test]
    fn texts_and_edges_stand_out() {
        let style = std::str::from_utf8(STYLE.content).unwrap();
        let palettes: Vec<&str> = style.split(":root {").skip(1).filter_map(|rest| rest.split('}').next()).collect();
        assert_eq!(palettes.len(), 2);
        for palette in palettes {
            for (front, ground, least) in [
                ("ink", "wall", 4.5),
                ("ink", "stone", 4.5),
                ("ink", "bronze-wash", 4.5),
                ("ink", "alarm-wash", 4.5),
                ("soft", "wall", 4.5),
                ("soft", "stone", 4.5),
                ("bronze", "wall", 4.5),
                ("bronze", "stone", 4.5),
                ("bronze-deep", "bronze-wash", 4.5),
                ("on-bronze", "bronze", 4.5),
                ("on-bronze", "bronze-deep", 4.5),
                ("alarm", "stone", 4.5),
                ("alarm", "alarm-wash", 4.5),
                ("edge", "stone", 3.0),
                ("ring", "wall", 3.0),
                ("ring", "stone", 3.0),
            ] {
                let (one, other) = (luminance(palette, front), luminance(palette, ground));
                let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
                assert!(contrast >= least, "{front} on {ground}: {contrast}");
            }
        }
    }

    fn luminance(palette: &str, name: &str) -> f64 {
        let colour = palette.split(&format!("--{name}: #")).nth(1).unwrap();
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
    }
}
