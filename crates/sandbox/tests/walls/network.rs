use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use crate::fixture::{Place, run};

/// Rows 21, 22 and 24.
#[tokio::test]
async fn no_socket_can_be_made() {
    let place = Place::new();
    let script = "
import socket
for family, kind in [
    (socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_INET6, socket.SOCK_STREAM),
    (socket.AF_INET, socket.SOCK_RAW), (socket.AF_NETLINK, socket.SOCK_RAW), (socket.AF_PACKET, socket.SOCK_RAW),
    (socket.AF_VSOCK, socket.SOCK_STREAM), (socket.AF_ALG, socket.SOCK_SEQPACKET),
    (socket.AF_UNIX, socket.SOCK_STREAM), (socket.AF_UNIX, socket.SOCK_DGRAM)]:
    try: socket.socket(family, kind); print('MADE', family, kind)
    except PermissionError: pass
try: socket.socketpair(socket.AF_INET); print('MADE pair')
except OSError: pass
a, b = socket.socketpair(); a.send(b'x'); print('pair', b.recv(1))
";
    for sandbox in place.sandboxes().await {
        let output = run(&sandbox, &place.python(script)).await;
        assert_eq!(output.stdout.text(), "pair b'x'\n");
    }
}

/// Rows 21 and 24, seen from the side of the services.
#[tokio::test]
async fn services_of_the_machine_are_not_reached() {
    let place = Place::new();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    // In the workspace and open to all, so neither its path nor its permissions protect it.
    let path = place.workspace.join("service.sock");
    let unix = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).unwrap();
    tcp.set_nonblocking(true).unwrap();
    udp.set_nonblocking(true).unwrap();
    unix.set_nonblocking(true).unwrap();
    let script = format!(
        "
exec 2>&1
(echo x >/dev/tcp/127.0.0.1/{tcp}) && echo REACHED
(echo x >/dev/udp/127.0.0.1/{udp}) && echo REACHED
/usr/bin/python3 -c 'import urllib.request as u; u.urlopen(\"http://127.0.0.1:{tcp}\", timeout=2); print(\"REACHED\")' || :
/usr/bin/python3 -c 'import socket as s; s.socket(s.AF_UNIX).connect(\"service.sock\"); print(\"REACHED\")' || :
/usr/bin/python3 -c 'import socket as s; print(\"REACHED\", s.getaddrinfo(\"attacker.test\", 80))' || :",
        tcp = tcp.local_addr().unwrap().port(),
        udp = udp.local_addr().unwrap().port(),
    );
    for sandbox in place.sandboxes().await {
        let output = run(&sandbox, &place.shell(&script)).await;
        let said = output.stdout.text();
        assert!(!said.contains("REACHED"), "{said}");
        assert_eq!(tcp.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(udp.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(unix.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}

/// Row 27.
#[tokio::test]
async fn dangerous_system_calls_are_refused() {
    let place = Place::new();
    let script = "
import ctypes, errno, platform
libc = ctypes.CDLL(None, use_errno=True)
calls = {'ptrace': 101, 'mount': 165, 'unshare': 272, 'setns': 308, 'bpf': 321, 'perf_event_open': 298, 'io_uring_setup': 425,
    'userfaultfd': 323, 'keyctl': 250, 'add_key': 248, 'kexec_load': 246, 'memfd_create': 319, 'shmget': 29, 'clone3': 435,
    'open_by_handle_at': 304, 'process_vm_readv': 310, 'x32_socket': 0x40000000 + 41}
if platform.machine() == 'x86_64':
    for name, number in calls.items():
        ctypes.set_errno(0)
        result = libc.syscall(number, 0, 0, 0, 0, 0)
        if result != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS): print(name, result, ctypes.get_errno())
    CLONE_NEWUSER = 0x10000000
    if libc.syscall(56, CLONE_NEWUSER | 17, 0, 0, 0, 0) != -1: print('clone')
print('done')
";
    for sandbox in place.sandboxes().await {
        let output = run(&sandbox, &place.python(script)).await;
        assert_eq!(output.stdout.text(), "done\n");
    }
}
