//! The demo: one evening of a made-up ticketing company, so that a newcomer can live it. What the
//! pages need to play it (stations with their keys, people, tickets) is kept in `demo.json`,
//! readable by its owner only.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context as _;
use handfast_boxoffice::{DeviceKind, DeviceMode, Role};
use handfast_model::{SecretText, Timestamp};
use serde::{Deserialize, Serialize};

use crate::http::json::to_owner;
use crate::own_command::own_command;

pub(crate) mod seed;

const FILE: &str = "demo.json";

/// What the demo's pages need.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Demo {
    /// When the last of tonight's events ends.
    pub(crate) ends_at: Timestamp,
    pub(crate) stations: Vec<DemoStation>,
    pub(crate) fans: Vec<DemoFan>,
    pub(crate) staff: Vec<DemoStaff>,
}

/// A device that a visitor may open.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct DemoStation {
    pub(crate) station_id: String,
    pub(crate) name: String,
    pub(crate) kind: DeviceKind,
    pub(crate) mode: Option<DeviceMode>,
    #[serde(serialize_with = "to_owner")]
    pub(crate) api_key: SecretText,
}

/// Somebody to play.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct DemoFan {
    pub(crate) index: u64,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) tickets: Vec<DemoTicket>,
}

/// A ticket of somebody to play.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct DemoTicket {
    pub(crate) event_name: String,
    pub(crate) code: String,
}

/// Somebody who works here.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct DemoStaff {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) role: Role,
}

/// What begins the demo of a folder anew, in a shell.
pub(crate) fn begin_anew(dir: &Path) -> String {
    own_command(&["demo", "--fresh", "--data"], dir)
}

impl DemoStation {
    /// The page that plays it.
    pub(crate) fn path(&self) -> &'static str {
        match self.kind {
            DeviceKind::Pedestal => "/pedestal",
            DeviceKind::Scanner => "/scan",
            DeviceKind::Register => "/register",
        }
    }
}

impl Demo {
    /// What an earlier start left in `dir`, if there was one.
    pub(crate) fn load(dir: &Path) -> anyhow::Result<Option<Self>> {
        let file = dir.join(FILE);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context(format!("{} cannot be read", file.display())),
        };
        let demo = serde_json::from_str(&text).with_context(|| {
            format!("{} is damaged; start over with `{}`", file.display(), begin_anew(dir))
        })?;
        Ok(Some(demo))
    }

    /// Writes the file whole or not at all.
    pub(crate) fn save(&self, dir: &Path) -> anyhow::Result<()> {
        let (file, new) = (dir.join(FILE), dir.join("demo.json.new"));
        let mut target = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
            .with_context(|| format!("{} cannot be written", new.display()))?;
        target.write_all(&serde_json::to_vec_pretty(self)?)?;
        target.sync_all()?;
        std::fs::rename(&new, &file)?;
        Ok(())
    }

    /// Whether the evening is over: nobody can enter any more.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.ends_at
    }
}
