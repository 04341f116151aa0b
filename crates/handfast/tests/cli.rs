//! The command line, run as a person runs it: exit codes, JSON shapes, messages. All palms are
//! synthetic.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use handfast_palm::{Picture, Side};
use handfast_palm_synth::{HandPose, Identity, Scene, Spectrum, render};
use serde_json::Value;
use tempfile::TempDir;

const CROP_PX: u32 = 128;

fn handfast<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_handfast")).args(arguments).output().unwrap()
}

/// Runs a command that must end with `code`; its stdout and stderr.
#[track_caller]
fn expect(code: i32, arguments: &[&str]) -> (String, String) {
    let output = handfast(arguments);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{stdout}\n{stderr}");
    (stdout, stderr)
}

#[track_caller]
fn expect_json(code: i32, arguments: &[&str]) -> Value {
    let (stdout, _) = expect(code, arguments);
    serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{arguments:?}: {e}\n{stdout}"))
}

/// Wrong use: exit code 2, nothing on stdout, and a message that says `needle`.
#[track_caller]
fn expect_wrong(needle: &str, arguments: &[&str]) {
    let (stdout, stderr) = expect(2, arguments);
    assert_eq!(stdout, "", "{arguments:?}");
    assert!(stderr.contains(needle), "{arguments:?}: {stderr}");
    assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn save(picture: &Picture, path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let (width, height) = (picture.width(), picture.height());
    let rgb = image::RgbImage::from_raw(width, height, picture.rgb().to_vec()).unwrap();
    rgb.save(path).unwrap();
}

/// A crop of a synthetic palm.
fn crop(dir: &Path, name: &str, identity: u64, sample: u64) -> PathBuf {
    let palm = Identity::from_seed(identity).palm(Side::Right);
    let path = dir.join(name);
    save(&palm.roi(sample, Spectrum::Visible, CROP_PX), &path);
    path
}

/// A picture of a whole synthetic hand.
fn whole_hand(dir: &Path, name: &str, identity: u64, side: Side, sample_seed: u64) -> PathBuf {
    let hand = Identity::from_seed(identity).hand(side);
    let scene = Scene::Hand { hand, pose: HandPose::default(), sample_seed };
    let path = dir.join(name);
    save(&render(&scene, 640, 480), &path);
    path
}

fn blank(dir: &Path, name: &str) -> PathBuf {
    let path = dir.join(name);
    save(&Picture::from_grey(320, 240, vec![20; 320 * 240]).unwrap(), &path);
    path
}

/// A set of crops: `palms` palms, two samples in each of two sessions.
fn set(dir: &Path, palms: u64) {
    for palm in 0..palms {
        let hand = Identity::from_seed(100 + palm).palm(Side::Right);
        for (sample, name) in (0..).zip(["s1_1", "s1_2", "s2_1", "s2_2"]) {
            let picture = hand.roi(sample, Spectrum::Visible, CROP_PX);
            save(&picture, &dir.join(format!("p{palm}/{name}.png")));
        }
    }
}

fn scratch() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn encode_tells_what_it_made_of_a_crop_and_keeps_nothing() {
    let dir = scratch();
    let crop = crop(dir.path(), "a.png", 1, 1);
    let json = expect_json(0, &["encode", text(&crop), "--roi", "--side", "left", "--json"]);
    assert_eq!((&json["outcome"], &json["side"]), (&"encoded".into(), &"left".into()));
    assert!(json["template"]["bytes"].as_u64().unwrap() > 100);
    assert!(json["template"]["version"].as_u64().unwrap() >= 1);
    assert!(json["ms"]["template"].as_f64().unwrap() > 0.0);
    assert!(json["written"].is_null() && json["placement"].is_null());
    let (stdout, _) = expect(0, &["encode", text(&crop), "--roi"]);
    assert!(stdout.starts_with("right palm") && stdout.contains("kept       nothing"), "{stdout}");
    let files = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(files, 1, "the picture alone");
}

#[test]
fn encode_finds_the_palm_in_a_whole_hand() {
    let dir = scratch();
    for (side, word) in [(Side::Left, "left"), (Side::Right, "right")] {
        let hand = whole_hand(dir.path(), &format!("{word}.png"), 7, side, 1);
        let json = expect_json(0, &["encode", text(&hand), "--json"]);
        assert_eq!((&json["outcome"], &json["side"]), (&"encoded".into(), &word.into()));
        let sharpness = json["sharpness"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&sharpness));
        let quality = json["quality"].as_f64().unwrap();
        assert!((0.3..=1.0).contains(&quality), "a good hand's quality: {quality}");
        let centre = json["placement"]["centre"][0].as_f64().unwrap();
        assert!((0.2..0.8).contains(&centre), "{centre}");
        assert!(json["ms"]["hand"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn encode_refuses_an_empty_picture_with_the_reason() {
    let dir = scratch();
    let blank = blank(dir.path(), "blank.png");
    let json = expect_json(1, &["encode", text(&blank), "--json"]);
    assert_eq!((&json["outcome"], &json["reason"]), (&"refused".into(), &"no_hand".into()));
    assert!(json["detail"].as_str().unwrap().contains("hold your palm"));
    let out = dir.path().join("template");
    let (stdout, _) = expect(1, &["encode", text(&blank), "--out", text(&out)]);
    assert!(stdout.starts_with("refused: no hand"), "{stdout}");
    assert!(!out.exists(), "a refusal writes nothing");
}

#[test]
fn encode_writes_a_template_once_and_for_its_owner_alone() {
    let dir = scratch();
    let crop = crop(dir.path(), "a.png", 1, 1);
    let out = dir.path().join("a.template");
    let arguments = ["encode", text(&crop), "--roi", "--out", text(&out)];
    expect(0, &arguments);
    let written = fs::read(&out).unwrap();
    assert!(handfast_palm::Reference::from_bytes(&written).is_ok());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    }
    expect_wrong("name a new file", &arguments);
    assert_eq!(fs::read(&out).unwrap(), written, "never overwritten");
}

#[test]
fn files_that_are_no_pictures_are_wrong_use() {
    let dir = scratch();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let prose = file("prose.png", b"This is no picture, whatever its name says.");
    let empty = file("empty.jpg", b"");
    let whole = fs::read(crop(dir.path(), "whole.png", 1, 1)).unwrap();
    let cut = file("cut.png", &whole[..whole.len() / 2]);
    let wide = dir.path().join("wide.png");
    image::GrayImage::new(9_000, 40).save(&wide).unwrap();
    let long = dir.path().join("long.png");
    fs::File::create(&long).unwrap().set_len(40 << 20).unwrap();
    let missing = dir.path().join("missing.png");
    let fine = crop(dir.path(), "fine.png", 1, 1);
    for (path, needle) in [
        (&prose, "neither a PNG nor a JPEG nor a BMP"),
        (&empty, "neither a PNG nor a JPEG nor a BMP"),
        (&cut, "cut short or damaged"),
        (&wide, "9000 x 40 pixels; at most"),
        (&long, "save it smaller"),
        (&missing, "does not exist"),
        (&dir.path().to_owned(), "is a folder"),
    ] {
        expect_wrong(needle, &["encode", text(path)]);
        expect_wrong(needle, &["compare", "--roi", text(&fine), text(path)]);
    }
}

#[test]
fn wrong_arguments_are_wrong_use() {
    expect_wrong("Usage", &["encode"]);
    expect_wrong("Usage", &["compare", "a.png"]);
    expect_wrong("Usage", &["eval"]);
    expect_wrong("--roi", &["encode", "a.png", "--side", "left"]);
    expect_wrong("unrecognized subcommand", &["palmistry"]);
    let (help, _) = expect(0, &["--help"]);
    assert!(help.starts_with("Open palm identity") && help.contains("Exit codes"), "{help}");
}

#[test]
fn compare_tells_a_palm_from_another() {
    let dir = scratch();
    let a = crop(dir.path(), "a.png", 1, 1);
    let again = crop(dir.path(), "again.png", 1, 2);
    let other = crop(dir.path(), "other.png", 2, 1);
    let yes = expect_json(0, &["compare", "--roi", "--json", text(&a), text(&again)]);
    assert_eq!(yes["outcome"], "match");
    assert!(yes["score"].as_i64() >= yes["threshold"].as_i64());
    let no = expect_json(1, &["compare", "--roi", "--json", text(&a), text(&other)]);
    assert_eq!(no["outcome"], "no_match");
    assert!(no["score"].as_i64() < no["threshold"].as_i64());
    let (stdout, _) = expect(0, &["compare", "--roi", text(&a), text(&again)]);
    assert!(stdout.starts_with("match:"), "{stdout}");
    let (stdout, _) = expect(1, &["compare", "--roi", text(&a), text(&other)]);
    assert!(stdout.starts_with("no match:"), "{stdout}");
}

#[test]
fn compare_takes_template_files_for_pictures() {
    let dir = scratch();
    let a = crop(dir.path(), "a.png", 1, 1);
    let again = crop(dir.path(), "again.png", 1, 2);
    let reference = dir.path().join("a.reference");
    let probe = dir.path().join("again.probe");
    expect(0, &["encode", "--roi", text(&a), "--out", text(&reference)]);
    expect(0, &["encode", "--roi", text(&again), "--out", text(&probe), "--kind", "probe"]);
    let score = |x: &Path, y: &Path| {
        let json = expect_json(0, &["compare", "--roi", "--json", text(x), text(y)]);
        json["score"].as_i64().unwrap()
    };
    let expected = score(&a, &again);
    assert_eq!(score(&reference, &again), expected);
    assert_eq!(score(&a, &probe), expected);
    assert_eq!(score(&probe, &reference), expected, "in either order");
    expect_wrong("both references", &["compare", text(&reference), text(&reference)]);
    expect_wrong("both probes", &["compare", text(&probe), text(&probe)]);
    let mut bytes = fs::read(&reference).unwrap();
    bytes[4] = 99;
    let future = dir.path().join("future.reference");
    fs::write(&future, bytes).unwrap();
    expect_wrong("format version 99", &["compare", text(&future), text(&probe)]);
}

#[test]
fn compare_of_whole_hands_knows_the_person_and_the_side() {
    let dir = scratch();
    let a = whole_hand(dir.path(), "a.png", 7, Side::Left, 1);
    let again = whole_hand(dir.path(), "again.png", 7, Side::Left, 2);
    let right = whole_hand(dir.path(), "right.png", 7, Side::Right, 1);
    let blank = blank(dir.path(), "blank.png");
    let json = expect_json(0, &["compare", "--json", text(&a), text(&again)]);
    assert_eq!(json["sides"], serde_json::json!(["left", "left"]));
    let (stdout, _) = expect(1, &["compare", text(&a), text(&right)]);
    assert!(stdout.contains("the first shows a left hand, the second a right one"), "{stdout}");
    let json = expect_json(1, &["compare", "--json", text(&a), text(&blank)]);
    assert_eq!((&json["outcome"], &json["file"]), (&"refused".into(), &text(&blank).into()));
}

#[test]
fn eval_prints_the_rates_of_a_set() {
    let dir = scratch();
    set(dir.path(), 6);
    // One sample of session 2 cannot be read: its pairs with both references are missed.
    fs::write(dir.path().join("p0/s2_3.png"), b"damaged").unwrap();
    let arguments = ["eval", "--roi", "--json", "--seed", "5", text(dir.path())];
    let json = expect_json(0, &arguments);
    assert_eq!((&json["palms"], &json["samples"]), (&6.into(), &25.into()));
    assert_eq!(json["pairing"], "across_sessions");
    assert_eq!(json["n_genuine"], 6 * 2 * 2 + 2);
    assert_eq!(json["n_impostor"], 6 * 5 * 2 * 2);
    assert_eq!(json["fta"], 1.0 / 25.0);
    // 2 of 26 genuine pairs are missed; the palms themselves are told apart well.
    let eer = json["eer"].as_f64().unwrap();
    assert!((2.0 / 26.0..0.2).contains(&eer), "{eer}");
    assert!(json["of_comparisons"]["eer"].as_f64().unwrap() < 0.05, "{}", json["of_comparisons"]);
    for fmr in ["1e-2", "1e-3", "1e-4", "1e-5", "1e-6"] {
        assert_eq!(json["tar_at_fmr"].get(fmr), Some(&Value::Null), "120 pairs are too few");
    }
    assert!(json["ci"]["eer"][0].as_f64() <= json["ci"]["eer"][1].as_f64());
    assert_eq!(json["ci"]["seed"], 5);
    for enrolled in ["1000", "10000"] {
        let rates = json["fpir_fnir"][enrolled].as_array().unwrap();
        assert!(rates.iter().all(|rate| rate["extrapolated"] == true && rate["fpir"].is_f64()));
    }
    for stage in ["decode", "roi", "template", "compare"] {
        assert!(json["ms"][stage]["median"].as_f64() <= json["ms"][stage]["p95"].as_f64());
        assert!(json["ms"][stage]["runs"].as_u64() > Some(0));
    }
    assert!(json["ms"]["hand"].is_null());
    let failure = &json["failures"][0];
    assert_eq!((&failure["palm"], &failure["sample"]), (&"p0".into(), &"s2_3.png".into()));
    assert!(failure["reason"].as_str().unwrap().contains("neither a PNG nor a JPEG nor a BMP"));
    let mut again = expect_json(0, &arguments);
    again["ms"] = json["ms"].clone();
    assert_eq!(again, json, "the same seed gives the same report but for the times");
}

#[test]
fn eval_has_rates_where_the_pairs_suffice() {
    let dir = scratch();
    set(dir.path(), 17);
    // 17 x 16 x 4 = 1,088 impostor pairs: 10.88 false matches are expected at 1e-2.
    let json = expect_json(0, &["eval", "--roi", "--json", text(dir.path())]);
    assert!(json["tar_at_fmr"]["1e-2"].as_f64().unwrap() > 0.8, "{}", json["tar_at_fmr"]);
    assert!(json["threshold_at_fmr"]["1e-2"].as_i64().unwrap() > 0);
    assert!(json["tar_at_fmr"]["1e-3"].is_null());
    let few = ["eval", "--roi", "--json", "--limit-palms", "3", text(dir.path())];
    assert_eq!(expect_json(0, &few)["palms"], 3);
}

#[test]
fn eval_fuses_samples_as_an_enrolment_does() {
    let dir = scratch();
    set(dir.path(), 3);
    let path = text(dir.path());
    let arguments = ["eval", "--roi", "--json", "--enrolled", "2", "--frames", "2", path];
    let json = expect_json(0, &arguments);
    // One reference of two samples and one probe of two frames for each palm.
    assert_eq!((&json["n_genuine"], &json["n_impostor"]), (&3.into(), &6.into()));
    assert_eq!((&json["enrolled_samples"], &json["probe_samples"]), (&2.into(), &2.into()));
    assert_eq!(json["eer"], 0.0);
    expect_wrong("not in 1..", &["eval", "--enrolled", "0", path]);
    fs::remove_dir_all(dir.path().join("p0")).unwrap();
    for palm in ["p1", "p2"] {
        fs::remove_file(dir.path().join(palm).join("s2_1.png")).unwrap();
        fs::remove_file(dir.path().join(palm).join("s2_2.png")).unwrap();
    }
    expect_wrong("one session only", &["eval", "--roi", "--enrolled", "2", path]);
}

#[test]
fn eval_speaks_to_people_and_prints_progress_apart() {
    let dir = scratch();
    let (first, second) = (dir.path().join("a-roi"), dir.path().join("b-roi"));
    set(&first, 2);
    set(&second, 2);
    let (stdout, stderr) = expect(0, &["eval", text(&first)]);
    assert!(stdout.contains("EER") && stdout.contains("session 1 against session 2"), "{stdout}");
    assert!(stderr.contains("a-roi: encoding samples"), "{stderr}");
    let (stdout, _) = expect(0, &["eval", "--markdown", text(&first), text(&second)]);
    let rows: Vec<&str> = stdout.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 4, "{stdout}");
    assert!(rows[2].starts_with("| a-roi | 2 | 8 | 0.00 |"), "{stdout}");
    let columns = |row: &str| row.matches('|').count();
    assert!(rows.iter().all(|row| columns(row) == columns(rows[0])), "{stdout}");
    let json = expect_json(0, &["eval", "--json", text(&first), text(&second)]);
    assert_eq!(json.as_array().map(Vec::len), Some(2));
}

#[test]
fn eval_of_nothing_but_failures_is_a_no() {
    let dir = scratch();
    for palm in ["a", "b"] {
        blank(dir.path(), &format!("{palm}/1.png"));
        blank(dir.path(), &format!("{palm}/2.png"));
    }
    let json = expect_json(1, &["eval", "--json", text(dir.path())]);
    assert_eq!((&json["fta"], &json["n_genuine"]), (&1.0.into(), &2.into()));
    assert_eq!((&json["n_impostor"], &json["eer"]), (&0.into(), &Value::Null));
    assert_eq!(json["failures"].as_array().map(Vec::len), Some(4));
}

#[test]
fn eval_of_a_wrong_folder_is_wrong_use() {
    let dir = scratch();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir_all(path("empty")).unwrap();
    fs::create_dir_all(path("hollow/palm")).unwrap();
    let picture = crop(dir.path(), "one/palm/1.png", 1, 1);
    expect_wrong("does not exist", &["eval", text(&path("missing"))]);
    expect_wrong("is a file", &["eval", text(&picture)]);
    expect_wrong("holds no samples", &["eval", text(&path("empty"))]);
    expect_wrong("holds no samples", &["eval", text(&path("hollow"))]);
    expect_wrong("one palm only", &["eval", text(&path("one"))]);
    expect_wrong("not in 2..", &["eval", "--limit-palms", "1", text(&path("one"))]);
}
