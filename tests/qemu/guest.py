"""In the machine: binds the NIC to vfio-pci, runs the appliance, carries its control RPC to the host.

Run by init as the only program, in a chroot that is the host's root; what it says goes to the console.
"""
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import threading
import time

PORTS = pathlib.Path("/sys/class/virtio-ports")
HUGEPAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")


def say(text):
    print(f"{time.monotonic():8.3f} guest: {text}", flush=True)


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in filter(None, done.stdout.splitlines()):
        if "libkmod" not in line:  # lspci looks for the modules of a kernel that is not installed
            say(f"  {line}")
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}")


def device_of(port_name):
    for place in PORTS.iterdir():
        if (place / "name").read_text().strip() == port_name:
            return f"/dev/{place.name}"
    raise RuntimeError(f"no virtio port {port_name}")


def connect(path):
    client = socket.socket(socket.AF_UNIX)
    try:
        client.connect(path)
    except OSError:
        client.close()
        return None
    return client


def carry(port_name, path):
    """One connection to the RPC socket, whichever clients of the host follow each other on this port."""
    port = os.open(device_of(port_name), os.O_RDWR)
    client = None
    while True:
        poll = select.poll()
        poll.register(port, select.POLLIN)
        if client:
            poll.register(client, select.POLLIN)
        ready = dict(poll.poll())
        if ready.get(port, 0) & select.POLLIN:
            data = os.read(port, 65536)
            if not data:  # nobody on the host is connected
                time.sleep(0.02)
                continue
            client = client or connect(path)
            if client:
                client.sendall(data)
        if client and client.fileno() in ready:
            data = client.recv(65536)
            if not data:  # the host learns it by silence
                client.close()
                client = None
            while data:
                data = data[os.write(port, data):]


def answers(path):
    client = connect(path)
    if client:
        client.close()
    return client is not None


def prepare(facts):
    say("booted")
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    socket_folder = pathlib.Path(facts["socket"]).parent
    socket_folder.mkdir(parents=True, exist_ok=True)
    run("ip", "link", "set", "lo", "up")
    if facts["hugepages"]:
        HUGEPAGES.write_text(str(facts["hugepages"]))
    say(f"{HUGEPAGES.read_text().strip()} hugepages")
    run("dpdk-devbind.py", "-b", "vfio-pci", facts["device"])
    driver = pathlib.Path(f"/sys/bus/pci/devices/{facts['device']}/driver").resolve().name
    say(f"{facts['device']} is bound to {driver}")


def main():
    facts = json.loads(pathlib.Path(sys.argv[1]).read_text())
    prepare(facts)
    appliance = subprocess.Popen([facts["binary"], "--config", facts["config"]], stdin=subprocess.DEVNULL)
    while not answers(facts["socket"]):
        if appliance.poll() is not None:
            raise RuntimeError(f"swimlane ended at its start: exit code {appliance.returncode}")
        time.sleep(0.05)
    for port_name in facts["ports"]:
        threading.Thread(target=carry, args=(port_name, facts["socket"]), daemon=True).start()
    say("swimlane answers")
    code = appliance.wait()
    what = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    say(f"swimlane ended: {what}")


try:
    main()
except Exception as error:
    say(f"failed: {error}")
