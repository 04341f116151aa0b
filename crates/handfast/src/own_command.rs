//! Commands of this program as a person pastes them into a shell, whatever folder it is in.

use std::ffi::OsStr;
use std::path::Path;

/// What stands for itself in every shell.
const PLAIN: &str = "_-./:=,+@%";

/// This program with `words`, and after them a folder.
pub(crate) fn own_command(words: &[&str], folder: &Path) -> String {
    let own = std::env::current_exe();
    let own = own.as_deref().map_or(OsStr::new("handfast"), Path::as_os_str);
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let words = words.iter().map(OsStr::new);
    let words = std::iter::once(own).chain(words).chain([folder.as_os_str()]).map(shell_word);
    words.collect::<Vec<String>>().join(" ")
}

/// A word as a shell reads it back.
pub(crate) fn shell_word(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || PLAIN.contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_the_shell_reads_back() {
        for word in ["data/nodes/a", "my data", "", "it's", "$HOME", "a;b", "käse", "-x", "~"] {
            let script = format!("printf %s {}", shell_word(OsStr::new(word)));
            let read = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(read.stdout).unwrap(), word);
        }
        assert_eq!(shell_word(OsStr::new("data/nodes/a")), "data/nodes/a");
    }

    #[test]
    fn commands_name_this_program_and_whole_paths() {
        let own = std::env::current_exe().unwrap();
        let here = std::env::current_dir().unwrap();
        assert_eq!(
            own_command(&["demo", "--data"], Path::new("data")),
            format!("{} demo --data {}/data", own.display(), here.display())
        );
    }
}
