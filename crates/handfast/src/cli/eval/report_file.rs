//! Where a report page is written.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

/// The page's name inside a folder.
const INDEX: &str = "index.html";
/// What every page of ours has: a file without it is somebody's and stays.
const OURS: &str = "<title>Handfast: ";

/// A place that a page can be written to, checked.
#[derive(Debug)]
pub struct ReportFile(PathBuf);

impl ReportFile {
    /// The page at `path`: an .html file, or index.html in a folder, which is made where there is
    /// none.
    ///
    /// # Errors
    /// Where the place cannot be written to, or holds a file that is no such page.
    pub fn at(path: &Path) -> anyhow::Result<Self> {
        let is_page = path.extension().is_some_and(|it| it.eq_ignore_ascii_case("html"));
        let file = if is_page { path.to_owned() } else { path.join(INDEX) };
        ensure!(
            is_page || !path.is_file(),
            "{} is a file and does not end in .html; name an .html file or a folder",
            path.display()
        );
        ensure!(
            !file.is_dir(),
            "{} is a folder; name an .html file or another folder",
            file.display()
        );
        if let Some(folder) = file.parent().filter(|it| !it.as_os_str().is_empty()) {
            fs::create_dir_all(folder)
                .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        }
        if file.exists() {
            let text = fs::read_to_string(&file).unwrap_or_default();
            if !text.contains(OURS) {
                bail!("{} exists and is no report; name another file", file.display());
            }
        }
        Ok(Self(file))
    }

    /// Writes the page and says where it is.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(self, html: &str) -> anyhow::Result<PathBuf> {
        fs::write(&self.0, html)
            .with_context(|| format!("{} could not be written", self.0.display()))?;
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_to_a_file_or_into_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let html = format!("{OURS}...");
        for name in ["page.html", "PAGE.HTML", "new/folder", "new"] {
            let path = ReportFile::at(&dir.path().join(name)).unwrap().write(&html).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), html);
            ReportFile::at(&dir.path().join(name)).expect("a report may be written again");
        }
        assert!(dir.path().join("new/folder/index.html").is_file());
    }

    #[test]
    fn nothing_of_somebody_elses_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("mine.html"), "my page").unwrap();
        fs::write(path("palm.png"), "picture").unwrap();
        fs::create_dir(path("folder.html")).unwrap();
        for (name, reason) in [
            ("mine.html", "no report"),
            ("palm.png", "does not end in .html"),
            ("palm.png/x", "cannot be made"),
            ("folder.html", "is a folder"),
        ] {
            let error = format!("{:#}", ReportFile::at(&path(name)).unwrap_err());
            assert!(error.contains(reason), "{name}: {error}");
        }
    }
}
