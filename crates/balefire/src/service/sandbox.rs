//! Gives up, for good, what the program will not need once its devices are open.
//!
//! In: folders to read and to write. Out: all threads started from now on have only CAP_NET_RAW (to open an interface again),
//! can gain no right, reach no other file, and are refused system calls that a detector never makes. Not its job: the
//! user it runs as, and what a service manager takes away beside (the unit).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use landlock::{ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, path_beneath_rules};
use nix::libc;
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

use crate::exit::Failure;

/// What is in force.
#[derive(Clone, Debug)]
pub(crate) struct Sandbox {
    pub(crate) landlock: &'static str,
}

/// What libpcap and the program itself read while running: interfaces, statistics, the system's own libraries and zones.
const READ: &[&str] = &["/proc", "/sys", "/etc", "/usr", "/dev/null", "/dev/urandom"];

/// Closes the doors of the calling thread, and so of all threads it starts. The folders of `write` must be writable, that of `try_write` need
/// not.
pub(crate) fn enter(read: &[PathBuf], write: &[PathBuf], try_write: Option<&Path>) -> Result<Sandbox, Failure> {
    keep_only_capture().map_err(|error| failed("capabilities", &error))?;
    set_no_new_privs(true).map_err(|error| failed("no_new_privs", &error))?;
    let writable: Vec<&Path> = write.iter().map(PathBuf::as_path).chain(try_write).collect();
    let landlock = restrict_files(read, &writable).map_err(|error| failed("landlock", &error))?;
    restrict_calls().map_err(|error| failed("seccomp", &*error))?;
    for folder in write {
        probe(folder)?;
    }
    Ok(Sandbox { landlock })
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("{what}: {error}; [service] sandbox = false starts without"))
}

/// What was there of CAP_NET_RAW stays, everything else goes.
fn keep_only_capture() -> rustix::io::Result<()> {
    let kept = capabilities(None)?.permitted & CapabilitySet::NET_RAW;
    set_capabilities(
        None,
        CapabilitySets {
            effective: kept,
            permitted: kept,
            inheritable: CapabilitySet::empty(),
        },
    )
}

/// Says how far the kernel goes along: older ones know fewer rights, or none.
fn restrict_files(read: &[PathBuf], write: &[&Path]) -> Result<&'static str, landlock::RulesetError> {
    let abi = ABI::V4;
    // SQLite puts what does not fit its memory into a file of its own there, which nobody else can see.
    let temporary = [PathBuf::from("/var/tmp"), std::env::temp_dir()];
    let write = write.iter().copied().chain(temporary.iter().map(PathBuf::as_path));
    let read = READ.iter().map(Path::new).chain(read.iter().map(PathBuf::as_path));
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(read, AccessFs::from_read(abi)))?
        .add_rules(path_beneath_rules(write, AccessFs::from_all(abi)))?
        .restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => "full",
        RulesetStatus::PartiallyEnforced => "partial",
        RulesetStatus::NotEnforced => "not offered by this kernel",
    })
}

/// Calls that start programs, look into others, or change the machine. A list of what is refused, not of what is allowed:
/// libpcap, SQLite and the C library may make any ordinary call, and a tap that dies of an upgrade watches nothing.
const REFUSED: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_open_by_handle_at,
    libc::SYS_personality,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_sethostname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
];

fn restrict_calls() -> Result<(), Box<dyn std::error::Error>> {
    let refused = REFUSED
        .iter()
        .map(|call| (*call, Vec::new()))
        .collect::<BTreeMap<_, _>>();
    let filter = SeccompFilter::new(
        refused,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM as u32),
        std::env::consts::ARCH.try_into()?,
    )?;
    let program: BpfProgram = filter.try_into()?;
    Ok(apply_filter(&program)?)
}

/// Better refused at the start than an hour lost at its end: root without its capabilities may not write everywhere.
fn probe(folder: &Path) -> Result<(), Failure> {
    let path = folder.join(format!(".balefire.probe.{}", std::process::id()));
    let written = std::fs::write(&path, b"").and_then(|()| std::fs::remove_file(&path));
    written.map_err(|error| {
        Failure::failed(format!(
            "{}: {error}; it must belong to the user that balefire runs as (root keeps no rights over files of others)",
            folder.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_entered_cannot_go_back() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().to_owned();
        // Only this thread gives up anything.
        let entered = std::thread::spawn(move || {
            let entered = enter(&[], std::slice::from_ref(&inside), None).unwrap();
            std::fs::write(inside.join("hour"), b"x").unwrap();
            // Everybody may list the root, who is not kept from it.
            let listed = std::fs::read_dir("/");
            assert_eq!(listed.is_err(), !entered.landlock.starts_with("not"), "{listed:?}");
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_default().trim().to_owned()
            };
            assert_eq!(
                (field("NoNewPrivs:"), field("Seccomp:")),
                ("1".to_owned(), "2".to_owned())
            );
            let effective = u64::from_str_radix(&field("CapEff:"), 16).unwrap();
            assert_eq!(effective & !CapabilitySet::NET_RAW.bits(), 0);
            assert!(std::process::Command::new("/bin/true").status().is_err());
        });
        entered.join().unwrap();
    }
}
