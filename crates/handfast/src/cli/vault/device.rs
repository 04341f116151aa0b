//! `handfast vault device`: which pedestals may capture palms, and with which key.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use handfast_model::DeviceId;

use super::{Answer, PATIENCE, client};

/// Arguments of `handfast vault device`.
#[derive(Debug, Args)]
pub(super) struct Device {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Let a pedestal capture, before it does so for the first time
    Add(Named),
    /// Give a pedestal a new key, also one that was revoked
    Rotate(Named),
    /// Take a pedestal out of use: nothing that it captures is searched any more
    Revoke(Named),
}

#[derive(Debug, Args)]
struct Named {
    /// The front's folder, for example DIR/front; the front may be at work
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The pedestal's id, as the console shows it
    #[arg(value_name = "DEVICE")]
    device: DeviceId,
}

impl Device {
    pub(super) async fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let (What::Add(Named { dir, device })
        | What::Rotate(Named { dir, device })
        | What::Revoke(Named { dir, device })) = &self.what;
        let client = client(dir)?;
        client.ready(PATIENCE).await?;
        match &self.what {
            What::Add(_) => {
                client.add_device(*device).await?;
                writeln!(out, "Device {device} may capture palms.")?;
            }
            What::Rotate(_) => {
                client.rotate_device(*device).await?;
                writeln!(out, "Device {device} has a new key; the one before opens nothing.")?;
            }
            What::Revoke(_) => {
                client.revoke_device(*device).await?;
                writeln!(out, "Device {device} captures no palms any more.")?;
            }
        }
        Ok(Answer::Positive)
    }
}
