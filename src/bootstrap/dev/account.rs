//! The account that Postgres runs under: ours, or an unprivileged one when we are root, as which Postgres refuses to run.

use anyhow::{Context, bail};
use nix::unistd::{Gid, Uid, User, geteuid};

/// The accounts tried as root, in this order.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// An account of this machine.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name, which `initdb` and peer authentication look up.
    pub name: String,
    uid: Uid,
    gid: Gid,
    is_ours: bool,
}

impl Account {
    /// The account that Postgres runs under.
    pub fn for_postgres() -> anyhow::Result<Self> {
        if !geteuid().is_root() {
            return Self::ours();
        }
        for name in UNPRIVILEGED {
            if let Some(user) = User::from_name(name).with_context(|| format!("looking up the account {name}"))? {
                return Ok(Self { name: user.name, uid: user.uid, gid: user.gid, is_ours: false });
            }
        }
        bail!(
            "Postgres does not run as root, and this machine has neither of the accounts {}\n  mend: start this from an \
             account of your own, or `useradd --system postgres`",
            UNPRIVILEGED.join(", ")
        )
    }

    /// The account of this process.
    pub fn ours() -> anyhow::Result<Self> {
        let uid = geteuid();
        let user = User::from_uid(uid).context("looking up this account")?;
        let Some(user) = user else {
            bail!("the user id {uid} has no name, and Postgres wants one\n  mend: give it a line in /etc/passwd");
        };
        Ok(Self { name: user.name, uid, gid: user.gid, is_ours: true })
    }

    /// Whether it is the account of this process.
    pub fn is_ours(&self) -> bool {
        self.is_ours
    }

    /// The user and group to become, if they are not ours already.
    pub fn to_become(&self) -> Option<(u32, u32)> {
        (!self.is_ours).then_some((self.uid.as_raw(), self.gid.as_raw()))
    }

    /// The owner that its files have.
    pub fn uid(&self) -> u32 {
        self.uid.as_raw()
    }
}
