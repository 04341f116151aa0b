//! What a panic tells: where it happened. What it says may hold anything that was being worked on, an
//! address or a token, so it reaches no terminal and no journal.

use std::io::Write as _;
use std::panic;

/// From now on a panic anywhere in this process tells its place alone.
pub(crate) fn tell_place_only() {
    tell(|line| {
        // Where even stderr is gone there is nobody left to tell.
        drop(writeln!(std::io::stderr(), "{line}"));
    });
}

fn tell(write: impl Fn(&str) + Send + Sync + 'static) {
    panic::set_hook(Box::new(move |info| {
        let place =
            info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("without a name");
        write(&format!(
            "defect: a panic at {place} (thread {thread}); what it says is not shown, as it may name people"
        ));
    }));
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_panic_tells_where_and_not_what() {
        let told = Arc::new(Mutex::new(String::new()));
        let into = told.clone();
        let before = panic::take_hook();
        tell(move |line| into.lock().unwrap().push_str(line));
        let address = "ana@example.org";
        let panicked = panic::catch_unwind(|| panic!("{address} was here"));
        panic::set_hook(before);
        assert!(panicked.is_err());
        let told = told.lock().unwrap();
        assert!(told.contains("panic_place.rs:") && !told.contains("ana"), "{told}");
    }
}
