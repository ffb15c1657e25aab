//! Reads a host and prints what each section weighs: `cargo run --example reading [NETNS]`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "measures and prints"
)]

use std::time::Instant;

fn main() -> Result<(), kernel::ReadError> {
    let netns = std::env::args().nth(1).map(|text| {
        let Ok(netns) = text.parse();
        netns
    });
    let options = kernel::ReadOptions {
        netns,
        ..kernel::ReadOptions::default()
    };
    let start = Instant::now();
    let dump = kernel::read(&options)?;
    let took = start.elapsed();
    for (name, bytes) in &dump.sections {
        println!("{:>10}  {name}", bytes.len());
    }
    for unread in &dump.unread {
        println!("unread: {}: {}", unread.what, unread.why);
    }
    println!("{:.1} ms", took.as_secs_f64() * 1000.0);
    Ok(())
}
