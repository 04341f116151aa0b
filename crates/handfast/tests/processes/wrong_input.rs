//! What the box office's commands say to wrong input: what happened and what to do, exit code 2, and
//! nothing made or lost.

use std::net::TcpListener;
use std::path::Path;

use crate::handfast;

/// Ends with exit code 2, nothing on stdout, and a message that says all of `needles`.
#[track_caller]
pub(crate) fn refused(home: &Path, arguments: &str, needles: &[&str]) {
    let arguments: Vec<String> =
        arguments.split(' ').map(|word| word.replace('~', home.to_str().unwrap())).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = handfast(&words).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
    assert!(output.stdout.is_empty(), "{words:?}");
    for needle in needles {
        assert!(said.contains(needle), "{words:?} lacks {needle:?}: {said}");
    }
    assert!(!said.contains("panicked"), "{words:?}: {said}");
}

#[test]
fn companies_and_imports_say_what_is_wrong_and_make_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    std::fs::write(home.join("empty.csv"), "").unwrap();
    std::fs::write(home.join("short.csv"), "order,event\n1,2\n").unwrap();
    std::fs::create_dir(home.join("bad")).unwrap();
    std::fs::write(home.join("bad/boxoffice.db"), "no database").unwrap();
    let founded = handfast(&[
        "company",
        "found",
        "Acme",
        "--operator",
        "a@b.example",
        "--operator-name",
        "Al",
        "--data",
        home.join("data").to_str().unwrap(),
    ])
    .output()
    .unwrap();
    assert!(founded.status.success());

    let people = "--operator a@b.example --operator-name Al";
    for (arguments, needles) in [
        (
            format!("company found X {people} --data ~/bad"),
            vec!["cannot be opened", "boxoffice.db"],
        ),
        (format!("company found X {people} --data ~/empty.csv"), vec!["--data"]),
        (
            "company link a@b.example --data ~/none".to_owned(),
            vec!["is not there", "company found"],
        ),
        ("company link who@b.example --data ~/data".to_owned(), vec!["nobody with the address"]),
        (
            "company staff c@b.example --name C --role clerk --data ~/data --company No".to_owned(),
            vec!["no company here is called No", "Acme"],
        ),
        (
            "company staff c@b.example --name C --role king --data ~/data".to_owned(),
            vec!["operator", "clerk"],
        ),
        ("import ~/none.csv --data ~/data".to_owned(), vec!["cannot be read"]),
        ("import ~/data --data ~/data".to_owned(), vec!["cannot be read", "directory"]),
        ("import ~/empty.csv --data ~/data".to_owned(), vec!["it is empty"]),
        ("import ~/short.csv --data ~/data".to_owned(), vec!["lacks the column"]),
        ("import ~/short.csv --data ~/none".to_owned(), vec!["is not there", "--data"]),
        ("import ~/short.csv --data ~/data --company No".to_owned(), vec!["called No", "Acme"]),
        ("import ~/short.csv --database what".to_owned(), vec!["no database address"]),
    ] {
        refused(home, &arguments, &needles);
    }
    assert!(!home.join("none").exists(), "a folder that was mistyped is not made");
    assert_eq!(std::fs::read(home.join("bad/boxoffice.db")).unwrap(), b"no database");
}

#[test]
fn scans_and_lanes_say_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    std::fs::write(home.join("text.db"), "no database").unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let nobody = "--server http://127.0.0.1:1";
    for (arguments, needles) in [
        ("redeem HF1.X --data ~/none".to_owned(), vec!["no demo is in", "HANDFAST_API_KEY"]),
        (format!("redeem HF1.X --api-key k {nobody}"), vec!["does not answer", "handfast serve"]),
        ("redeem HF1.X --api-key k --server gate:80".to_owned(), vec!["http://127.0.0.1:8080"]),
        ("redeem HF1.X --people many".to_owned(), vec!["--people"]),
        (format!("lane --file ~/l.db {nobody}"), vec!["no key is kept", "--code"]),
        (
            format!("lane --file ~/l.db --api-key k {nobody}"),
            vec!["no copy yet", "127.0.0.1:1 does not answer"],
        ),
        (format!("lane --file ~/l.db --code AB {nobody}"), vec!["does not answer"]),
        ("lane --file ~/l.db --server gate --code AB".to_owned(), vec!["http://127.0.0.1:8080"]),
        (format!("lane --file ~ --api-key k {nobody}"), vec!["cannot be opened"]),
        (format!("lane --file ~/text.db --api-key k {nobody}"), vec!["not a database"]),
        (
            format!("lane --file ~/l.db --api-key k {nobody} --listen {taken}"),
            vec!["is taken by another program"],
        ),
        ("rehearse --people 10 --chart ~/none/c.svg".to_owned(), vec!["cannot be written"]),
        ("rehearse --walk 0".to_owned(), vec!["0.1 to 60 seconds"]),
        ("bench redeem --rate 0".to_owned(), vec!["1..=2000"]),
        ("bench redeem --danger-database what".to_owned(), vec!["no database address"]),
        ("bench charge --danger-database what".to_owned(), vec!["no database address"]),
        ("bench lane --tickets 0".to_owned(), vec!["--tickets"]),
    ] {
        refused(home, &arguments, &needles);
    }
    assert_eq!(std::fs::read(home.join("text.db")).unwrap(), b"no database");
}

#[test]
fn a_service_says_what_is_wrong_before_it_makes_anything() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    std::fs::write(home.join("file"), "no folder").unwrap();
    std::fs::create_dir(home.join("other")).unwrap();
    let mail = "--mail-from a@b.example --mail-server";
    for (arguments, needles) in [
        ("serve --data ~/file".to_owned(), vec!["file is a file", "--data"]),
        ("serve --data ~/file/below".to_owned(), vec!["cannot be made", "--data"]),
        ("serve --data ~/none --public-url tickets.example".to_owned(), vec!["with its scheme"]),
        ("serve --data ~/none --dormant-months 0".to_owned(), vec!["1 to 24 months"]),
        ("serve --data ~/none --tls-roots ~/file".to_owned(), vec!["hold no certificate"]),
        (format!("serve --data ~/none {mail} smtp://x"), vec!["mails would leave in clear"]),
        (
            "disclose a@b.example --law US-CO --outcome received --data ~/other".to_owned(),
            vec!["holds no log", "--data"],
        ),
    ] {
        refused(home, &format!("{arguments} --listen 127.0.0.1:0"), &needles);
        assert!(!home.join("none").exists(), "{arguments} made something");
        assert_eq!(std::fs::read_dir(home.join("other")).unwrap().count(), 0, "{arguments}");
    }
}

#[test]
fn a_database_that_is_not_reached_is_named_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    // Longer than a label may be: no name server is asked.
    let nowhere = format!("{}.invalid", "x".repeat(64));
    let at_nowhere = format!("postgres://hub:swordfish@{nowhere}/hub");
    for (url, needles) in [
        (
            "postgres://hub:swordfish@127.0.0.1:1/hub",
            vec!["127.0.0.1:1/hub", "nothing listens there"],
        ),
        (at_nowhere.as_str(), vec![nowhere.as_str(), "no host"]),
        (
            "postgres://hub:swordfish@127.0.0.1/hub?sslmode=always",
            vec!["hub@127.0.0.1", "verify-full"],
        ),
        ("hub:swordfish@127.0.0.1/hub", vec!["no database address", "postgres://"]),
    ] {
        let output = handfast(&["serve", "--data", home.join("data").to_str().unwrap()])
            .args(["--listen", "127.0.0.1:0"])
            .env("HANDFAST_DATABASE", url)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        for needle in needles {
            assert!(said.contains(needle), "{url} lacks {needle:?}: {said}");
        }
        assert!(!said.contains("swordfish"), "{said}");
    }
}
