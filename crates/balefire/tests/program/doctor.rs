//! `balefire doctor` on the loopback interface, which every machine has.
//!
//! In: nothing. Out: the page and the JSON say the same, with a mend for whatever is not good. Not its job: the judgements
//! (unit tests of the program).

use assert_cmd::Command;

fn doctor(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::cargo_bin("balefire")
        .unwrap()
        .arg("doctor")
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_page_and_the_document_say_the_same() {
    let (page_code, page, _) = doctor(&["lo"]);
    let (json_code, json, _) = doctor(&["lo", "--json"]);
    assert_eq!(page_code, json_code);
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(document["schema"], "balefire-doctor/1");
    let findings = document["findings"].as_array().unwrap();
    assert!(findings.len() > 15, "{json}");
    let mut problems = 0;
    for finding in findings {
        let state = finding["state"].as_str().unwrap();
        let line = format!("{state:<8}  {}", finding["check"].as_str().unwrap());
        assert!(page.contains(&line), "{line} in {page}");
        assert_eq!(
            finding["mend"].is_string(),
            ["advice", "problem"].contains(&state),
            "{finding}"
        );
        problems += usize::from(state == "problem");
    }
    assert_eq!(page_code, Some(i32::from(problems > 0)));
}

#[test]
fn an_interface_that_is_not_there_is_said() {
    for name in ["balefire-none", "../lo", ""] {
        let (code, _, stderr) = doctor(&[name]);
        assert_eq!(code, Some(1), "{name}");
        assert!(stderr.contains("no such interface"), "{stderr}");
    }
}
