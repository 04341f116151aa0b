//! The vault's commands given what is wrong, and which vault a service runs: what happened and what to do,
//! exit code 2, and nothing begun anew beside palms that are stored.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::wrong_input::refused;
use crate::{Running, run};

fn vault_of(service: &Running) -> Value {
    serde_json::from_str(&service.get("/api/v1/vault")).unwrap()
}

#[test]
fn a_service_matches_on_three_nodes_and_stays_with_the_vault_it_has() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let service = Running::on("serve", &data, &[]);
    let vault = vault_of(&service);
    assert_eq!(
        (&vault["form"], vault["nodes"].as_array().unwrap().len()),
        (&"three_nodes_here".into(), 3)
    );
    // A second one on the same folder changes nothing of the first.
    let deployment = std::fs::read(data.join("nodes/deployment.json")).unwrap();
    refused(
        home.path(),
        "serve --data ~/data --listen 127.0.0.1:0",
        &["in use by another process"],
    );
    assert_eq!(std::fs::read(data.join("nodes/deployment.json")).unwrap(), deployment);
    assert_eq!(vault_of(&service)["ready"], true);
    drop(service);
    refused(
        home.path(),
        "serve --vault plain --data ~/data --listen 127.0.0.1:0",
        &["data/nodes", "start without --vault", "links it again"],
    );
    let plain = home.path().join("plain");
    let service = Running::on("serve", &plain, &["--vault", "plain"]);
    assert_eq!(vault_of(&service)["form"], "in_clear");
    drop(service);
    refused(
        home.path(),
        "serve --data ~/plain --listen 127.0.0.1:0",
        &["plain/vault", "--vault plain", "links it again"],
    );
    assert!(!plain.join("nodes").exists(), "nothing is begun beside stored palms");
}

#[test]
fn nothing_is_begun_where_nodes_elsewhere_have_the_palms() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("vault-front"), "00112233445566778899aabbccddeeff\n").unwrap();
    std::fs::create_dir(data.join("log")).unwrap();
    for arguments in [
        "disclose ana@example.org --law US-CO --outcome received --data ~/data",
        "serve --data ~/data --listen 127.0.0.1:0",
    ] {
        refused(home.path(), arguments, &["nodes elsewhere", "--vault-front", "links it again"]);
        assert_eq!(std::fs::read_dir(&data).unwrap().count(), 2, "{arguments} made something");
    }
}

#[test]
fn vault_commands_say_what_is_wrong_and_make_nothing() {
    let home = tempfile::tempdir().unwrap();
    let at = |path: &str| home.path().join(path);
    let path = |path: &str| at(path).to_str().unwrap().to_owned();
    std::fs::write(at("file"), "").unwrap();
    assert!(run(&["vault", "init", &path("v")]).status.success());
    assert!(run(&["vault", "init", &path("other")]).status.success());
    let key = std::fs::read(at("v/a/identity.key")).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    std::fs::create_dir(at("mixed")).unwrap();
    std::fs::create_dir(at("cut")).unwrap();
    for name in ["identity.key", "tls.key", "tls.crt"] {
        for to in ["mixed", "cut"] {
            std::fs::copy(at("v/front").join(name), at(to).join(name)).unwrap();
        }
    }
    std::fs::copy(at("other/front/deployment.json"), at("mixed/deployment.json")).unwrap();
    std::fs::write(at("cut/deployment.json"), "{").unwrap();
    let exposed = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(at("v/b/identity.key"), exposed).unwrap();
    let taken = format!("vault node ~/v/a --listen {listen}");
    for (arguments, needles) in [
        ("vault init ~/v", vec!["exists already", "empty folder"]),
        ("vault init ~/file", vec!["is a file", "name a folder"]),
        ("vault init ~/new --addresses a:1,b:2", vec!["three addresses", "2 were given"]),
        ("vault init ~/new --addresses a:1,b:2,a:1", vec!["two nodes cannot listen at `a:1`"]),
        ("vault init ~/new --addresses a:1,b:2,c", vec!["`c` is no HOST:PORT", "for example"]),
        ("vault node ~/none", vec!["identity.key is missing", "vault init"]),
        ("vault node ~/v/front", vec!["is of the front", "name its own folder"]),
        ("vault node ~/v/b", vec!["may be read by others", "chmod 600"]),
        (&taken, vec!["cannot be listened on", "--listen"]),
        ("vault status ~/v/a", vec!["is of node A", "name its own folder"]),
        ("vault status ~/mixed", vec!["does not belong to the deployment", "put back"]),
        ("vault status ~/cut", vec!["is no deployment", "put the file"]),
        ("vault refresh ~/v/front", vec!["is not reachable"]),
        ("vault drill --people 3", vec!["10 to 400 people"]),
        ("bench hover --rtt 5", vec!["--vault split"]),
        ("bench hover --strict", vec!["--vault split"]),
        ("serve --vault-front ~/none --data ~/new", vec!["identity.key is missing"]),
        ("serve --vault-front ~/v/front --vault plain --data ~/new", vec!["cannot be used with"]),
    ] {
        refused(home.path(), arguments, &needles);
        assert!(!at("new").exists(), "{arguments} made something");
    }
    assert_eq!(std::fs::read(at("v/a/identity.key")).unwrap(), key);
}
