//! The table of `docs/settings.md`, held against the settings.

use diskseal::config::{Fallback, Setting, Value, settings};

fn row(setting: &Setting) -> String {
    let code = |text: &str| format!("`{text}`");
    let value = match setting.value {
        Value::Text(form) => form.to_owned(),
        Value::Words(words) => words().into_iter().map(code).collect::<Vec<_>>().join(", "),
    };
    let default = match setting.default {
        Fallback::Text(text) => code(text),
        Fallback::Means(words) => words.to_owned(),
    };
    format!("| `{}` | `--{}` | {value} | {} | {default} |\n", setting.name, setting.flag, setting.summary())
}

#[test]
fn the_table_of_settings_is_that_of_the_rows() {
    let page = include_str!("../../docs/settings.md");
    let head = "| variable | flag | value | meaning | default |\n| --- | --- | --- | --- | --- |\n";
    let rows: String = settings().map(row).collect();
    assert!(page.contains(&format!("{head}{rows}\n")), "docs/settings.md needs this table:\n\n{head}{rows}");
}
