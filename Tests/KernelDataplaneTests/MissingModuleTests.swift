import Glibc
import Model
import Netlink
import Reconciler
import SystemPackage
import Testing

@testable import KernelDataplane

@Suite struct `The advice about a missing module` {
    @Test(
        arguments: [
            (nil, ModuleLoading.unsupported), ("0", .possible), ("1", .disabled),
        ] as [(String?, ModuleLoading)])
    func `depends on kernel.modules_disabled`(setting: String?, expected: ModuleLoading) {
        #expect(ModuleLoading(setting: setting) == expected)
    }

    @Test func `is the command to run, if the kernel loads modules`() {
        #expect(
            ModuleLoading.possible.advice(["dummy"])
                == "load the module dummy (modprobe dummy), and add it to /etc/modules-load.d for the next boot")
        #expect(
            ModuleLoading.possible.advice(["ip_set", "xt_set"])
                == "load the modules ip_set and xt_set (modprobe --all ip_set xt_set), and add them to /etc/modules-load.d for the next boot"
        )
    }

    @Test func `is a reboot, if the kernel does not load modules any more`() {
        #expect(
            ModuleLoading.disabled.advice(["dummy"])
                == "load the module dummy, which kernel.modules_disabled=1 forbids until the node reboots: add it to /etc/modules-load.d and reboot"
        )
    }

    @Test func `is another kernel, if this one has no modules`() {
        #expect(
            ModuleLoading.unsupported.advice(["dummy"])
                == "this kernel was built without dummy and cannot load modules: boot a kernel that has it")
    }

    @Test func `follows the error for an unknown kind of device, and no other error`() {
        let unknown = NetlinkError(.kernel(Errno(rawValue: EOPNOTSUPP)), detail: "Unknown device type")
        #expect(Operation.createDevice.explanation(of: unknown) == "\(unknown): \(ModuleLoading.advice("dummy"))")
        let denied = NetlinkError(.kernel(.notPermitted))
        #expect(Operation.createDevice.explanation(of: denied) == "\(denied)")
        #expect(Operation.deleteDevice.explanation(of: unknown) == "\(unknown)")
    }
}

@Suite struct `The namespace of the process` {
    @Test(arguments: [
        ("         0          0 4294967295\n", true), ("         0       1000          1\n", false),
        ("         0     100000      65536\n", false), ("", false),
    ])
    func `is the host's user namespace if it maps all users to themselves`(map: String, isInitial: Bool) {
        #expect(UserNamespace.isInitial(uidMap: map) == isInitial)
    }

    @Test(arguments: [
        (EROFS, "/proc/sys is read-only"), (EACCES, "only root in the network namespace of the host"),
        (EPERM, "only root in the network namespace of the host"), (EINVAL, "set it on the node in /etc/sysctl.d"),
    ])
    func `decides the advice about a setting that cannot be written`(errno: Int32, advice: String) {
        #expect(Sysctl.advice(Errno(rawValue: errno)).contains(advice))
        #expect(Sysctl.advice(Errno(rawValue: errno)).contains("/etc/sysctl.d"))
    }
}
