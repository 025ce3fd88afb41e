#!/usr/bin/env python3
"""Trains over 3 and 4 simulated machines, and holds step times and bytes on the wire to what `simclr plan --ranks` says.

usage: tools/cluster.py SIMCLR [--hosts 3,4] [--rates full,1gbit,100mbit] [--images 64] [--steps 12] [-- OPTION...]
       tools/cluster.py SIMCLR --cut [--hosts 3] [--images 64] [-- OPTION...]

Each machine is a network namespace with a name and a folder of its own, and a cable (veth) to a switch (a bridge in one
more namespace). `tc tbf` limits each cable both ways. Open MPI's mpirun starts the ranks, by `ip netns exec` in the
place of ssh, one of one thread on each machine. Options behind -- go to simclr.

Each machine is bound to one processor of this one, and they take the processors by turns. Left to themselves, two busy
ranks may stay on one processor while another is idle: some kernels pack them.

Nothing of this machine's own network is touched, and all of it is gone afterwards. It needs root, ip, tc and Open MPI.
Where one of them is missing it says "skipped" and why, and ends with status 77.

Predicted seconds of computing count as often as there are ranks on the fullest processor: after every layer all wait for
those that share it. Rate and delay of unlimited cables are measured between two of the machines before the runs.
Printed is a Markdown table. What is off by more than 25 % in time or 10 % in bytes is marked as missed. The exit status
is 1 where bytes are: what else the machine does changes the time, and not the bytes.

--cut takes down the interface of the last machine in the middle of a run, of the first --hosts. Every rank must end within
--rank-timeout and fifteen seconds, on the machine that is cut off too; the others say that they have waited; nothing is
left half-written; and the same command goes on once the interface is up again. The exit status is 1 where one does not hold."""
import argparse
import json
import math
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

TIME_MARK, BYTES_MARK = 0.25, 0.10
SUBNET = "10.77.0"
PROCESSORS = sorted(os.sched_getaffinity(0))
# Both ends of a connection: what goes through in a second, and half the time of there and back.
SERVER = r"""
import socket, sys
with socket.create_server(("0.0.0.0", 7777)) as s:
    print("ready", flush=True)
    c, _ = s.accept(); c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(2000): c.sendall(c.recv(1))
    left = int(sys.argv[1])
    while left > 0: left -= len(c.recv(min(left, 1 << 20)))
    c.sendall(b"x")
"""
CLIENT = r"""
import socket, statistics, sys, time
c = socket.create_connection((sys.argv[1], 7777)); c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
trips = []
for _ in range(2000):
    start = time.perf_counter(); c.sendall(b"x"); c.recv(1); trips.append(time.perf_counter() - start)
start = time.perf_counter(); c.sendall(bytes(int(sys.argv[2]))); c.recv(1)
print(int(sys.argv[2]) / (time.perf_counter() - start), statistics.median(trips) / 2)
"""


def skip(reason):
    print(f"skipped: the simulated cluster: {reason}")
    sys.exit(77)


def processor(host):
    """Of machine 1, 2, ..."""
    return PROCESSORS[(host - 1) % len(PROCESSORS)]


def run(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True, **options).stdout


def bits(rate):
    return {"gbit": 1e9, "mbit": 1e6, "kbit": 1e3}[rate[-4:]] * float(rate[:-4])


class Cluster:
    """Machines h1, h2, ... at a switch. close() takes all of it away, also after a failure half way."""

    def __init__(self, hosts, rate):
        self.name, self.mca = f"simclr{os.getpid()}", []
        self.hosts, self.folder, self.made = hosts, pathlib.Path(tempfile.mkdtemp(prefix="simclr-cluster-")), []
        try:
            self.build(rate)
        except BaseException:
            self.close()
            raise

    def space(self, name):
        return f"{self.name}-{name}"

    def inside(self, name, *command):
        return ["ip", "netns", "exec", self.space(name), *[str(c) for c in command]]

    def at(self, host, *command):
        """In machine 1, 2, ..., on its processor."""
        return self.inside(f"h{host}", "taskset", "--cpu-list", processor(host), *command)

    def add(self, name):
        run("ip", "netns", "add", self.space(name))
        self.made.append(self.space(name))
        run(*self.inside(name, "ip", "link", "set", "lo", "up"))

    def limit(self, name, device, rate):
        if rate == "full":
            return
        # A burst of 4 ms, and at least one large segment. A queue of 10 ms, as a switch has: in one of 100 ms TCP's answers
        # wait behind what goes the other way, and both ways at once take 1.33 times as long as one.
        run(*self.inside(name, "tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", rate,
                         "burst", max(int(bits(rate) / 8 * 0.004), 70000), "latency", "10ms"))

    def build(self, rate):
        self.add("switch")
        run(*self.inside("switch", "ip", "link", "add", "br0", "type", "bridge"))
        run(*self.inside("switch", "ip", "link", "set", "br0", "up"))
        for i in range(1, self.hosts + 1):
            host, port = f"h{i}", f"p{i}"
            self.add(host)
            (self.folder / host).mkdir()
            run("ip", "link", "add", "eth0", "netns", self.space(host), "type", "veth", "peer", "name", port,
                "netns", self.space("switch"))
            run(*self.inside(host, "ip", "address", "add", f"{SUBNET}.{i}/24", "dev", "eth0"))
            run(*self.inside(host, "ip", "link", "set", "eth0", "up"))
            run(*self.inside("switch", "ip", "link", "set", port, "master", "br0", "up"))
            self.limit(host, "eth0", rate)
            self.limit("switch", port, rate)
        agent = self.folder / "agent"
        places = " ".join(f"{i}) at={processor(i)};;" for i in range(1, self.hosts + 1))
        agent.write_text(f"""#!/bin/sh
# in the place of ssh: agent ADDRESS COMMAND...
host=h${{1##*.}}
case "${{1##*.}}" in {places} esac
shift
exec taskset --cpu-list $at ip netns exec {self.name}-$host unshare --uts \\
    sh -c 'hostname '$host'; TMPDIR={self.folder}/'$host'; export TMPDIR; '"$*"
""")
        agent.chmod(0o755)

    def received(self):
        """Bytes that each machine has been sent so far."""
        return [int(run(*self.inside(f"h{i}", "cat", "/sys/class/net/eth0/statistics/rx_bytes")))
                for i in range(1, self.hosts + 1)]

    def link(self):
        """Bytes a second and delay between two of the machines."""
        size = 200 << 20
        server = subprocess.Popen(self.at(2, sys.executable, "-c", SERVER, str(size)), stdout=subprocess.PIPE, text=True)
        try:
            server.stdout.readline()
            rate, delay = map(float, run(*self.at(1, sys.executable, "-c", CLIENT, f"{SUBNET}.2", str(size))).split())
        finally:
            server.kill()
            server.wait()
        return rate, delay

    def mpirun_line(self, *command):
        addresses = ",".join(f"{SUBNET}.{i}:1" for i in range(1, self.hosts + 1))
        line = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", self.hosts, "--host", addresses,
                "--mca", "plm_rsh_agent", self.folder / "agent", "--mca", "plm_rsh_no_tree_spawn", "1", "--mca", "pml", "ob1",
                "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", "eth0", "--mca", "oob_tcp_if_include", "eth0",
                "--mca", "plm", "rsh", *self.mca, *command]
        text = " ".join(str(c) for c in line)
        return ["taskset", "--cpu-list", str(processor(1)), "unshare", "--uts", "sh", "-c",
                f"hostname h1; TMPDIR={self.folder}/h1 exec ip netns exec {self.space('h1')} {text}"]

    def mpirun(self, *command):
        run(*self.mpirun_line(*command), timeout=900)

    def left(self, host, program):
        """The program's processes in machine 1, 2, ...; a zombie is none."""
        pids = run("ip", "netns", "pids", self.space(f"h{host}")).split()
        return [p for p in pids if pathlib.Path(f"/proc/{p}/exe").exists() and os.path.realpath(f"/proc/{p}/exe") == str(program)]

    def close(self):
        for space in self.made:
            pids = subprocess.run(["ip", "netns", "pids", space], capture_output=True, text=True).stdout.split()
            for pid in pids:  # only what runs inside this namespace, which is ours
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
        for space in self.made:
            subprocess.run(["ip", "netns", "delete", space], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def train(cluster, simclr, options, batch, steps):
    """Seconds of each step but the first, which touches memory for the first time; bytes that each machine was sent."""
    folder = cluster.folder / "run"
    before = cluster.received()
    cluster.mpirun(simclr, "pretrain", *options, "--batch", batch, "--steps", steps, "--log-every", 1, "--out", folder,
                   "--overwrite", "--quiet")
    sent = [after - b for after, b in zip(cluster.received(), before)]
    rows = [json.loads(line) for line in open(folder / "metrics.jsonl")]
    seconds = [2 * batch / row["train/views_per_second"] for row in rows if "train/views_per_second" in row]
    return seconds[1:], sent


def plan(simclr, options, batch, ranks, rate, delay):
    """The prediction, timed on one processor."""
    network = f"{rate * 8:.0f}bit,{delay * 1e9:.0f}ns"
    text = run("taskset", "--cpu-list", processor(1), simclr, "plan", *options, "--batch", batch, "--seconds", 2, "--json", "--quiet",
               *(["--ranks", ranks, "--network", network] if ranks > 1 else []))
    said = json.loads(text)
    return said["ranks"] if ranks > 1 else said


def cut(simclr, options, hosts, images):
    """Whether a run bears it that the last machine's interface is taken down; says what was seen."""
    timeout, grace, failed = 5, 15, []
    cluster = Cluster(hosts, "full")

    def holds(what, really):
        print(f"{'yes' if really else 'NO '} {what}", flush=True)
        failed.extend([] if really else [what])

    def logged():
        metrics = folder / "metrics.jsonl"
        return sum('"train/loss"' in row for row in metrics.read_text().splitlines()) if metrics.exists() else 0

    def start(steps, name):
        """The run in the background, once it has logged that many more steps; where what its ranks say is written."""
        said = (cluster.folder / name).open("w+")
        process, want, end = subprocess.Popen(line, stdout=said, stderr=said, start_new_session=True), logged() + steps, time.time() + 120
        while logged() < want and process.poll() is None and time.time() < end:
            time.sleep(0.02)
        return process, said

    def end(process, seconds):
        """Seconds until each machine has no rank any more; infinity for one that still has."""
        begin, gone = time.time(), {}
        while time.time() < begin + seconds and len(gone) < hosts:
            for host in range(1, hosts + 1):
                if host not in gone and not cluster.left(host, simclr):
                    gone[host] = time.time() - begin
            time.sleep(0.05)
        try:
            return [gone.get(h, math.inf) for h in range(1, hosts + 1)], process.wait(max(0.1, begin + seconds - time.time()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return [gone.get(h, math.inf) for h in range(1, hosts + 1)], None

    try:
        folder = cluster.folder / "run"
        # mpirun itself misses its own process on a machine that is silent: after five minutes if it is not told otherwise.
        cluster.mca = ["--mca", "oob_tcp_keepalive_time", 2, "--mca", "oob_tcp_keepalive_intvl", 1, "--mca", "oob_tcp_keepalive_probes", 3]
        line = cluster.mpirun_line(simclr, "pretrain", *options, "--batch", images * hosts, "--epochs", 100000, "--save-every", 1,
                                   "--log-every", 1, "--rank-timeout", timeout, "--out", folder, "--quiet")
        process, said = start(8, "first")
        holds("the run steps over all machines", process.poll() is None and logged() >= 8)
        run(*cluster.inside(f"h{hosts}", "ip", "link", "set", "eth0", "down"))
        seconds, code = end(process, timeout + grace)
        said.seek(0)
        text = said.read()
        print("ranks gone after " + ", ".join(f"{s:.1f}" for s in seconds) + f" s; mpirun's exit code: {code}\n{text.strip()}")
        holds(f"no rank is left {timeout} + {grace} s after the interface is down", max(seconds) < math.inf)
        holds("mpirun ends, neither with 0 nor with 75", code not in (None, 0, 75))
        for rank in range(hosts - 1):
            holds(f"rank {rank} says that it has waited", f"rank {rank} of {hosts} on h{rank + 1} has waited {timeout} s" in text)
        holds("nothing half-written", not list(folder.rglob("*.tmp*")))
        files = sorted((folder / "checkpoints").glob("*.safetensors"))
        holds(f"{len(files)} checkpoints, each whole", bool(files) and all(
            subprocess.run([simclr, "info", "--checkpoint", f], capture_output=True).returncode == 0 for f in files))
        run(*cluster.inside(f"h{hosts}", "ip", "link", "set", "eth0", "up"))
        process, said = start(3, "second")
        for pid in cluster.left(1, simclr):
            os.kill(int(pid), signal.SIGUSR1)
        code = end(process, 60)[1]
        said.seek(0)
        holds(f"the same command goes on once it is up: {said.read().strip()}", code == 75)
    finally:
        cluster.close()
    print(f"{len(failed)} of the above do not hold")
    return not failed


def crowd_of(ranks):
    """Ranks on the fullest processor."""
    return math.ceil(ranks / len(PROCESSORS))


def predicted_step(said, ranks):
    computing = said["passes_seconds"] + said["loss_seconds"] + said["update_seconds"]
    return crowd_of(ranks) * computing + said["all"]["seconds"] - said["overlapped_seconds"]


def mark(off, limit):
    return f"{100 * off:+.1f} %" + ("" if abs(off) <= limit else " (missed)")


def main():
    line, given = sys.argv[1:], []
    if "--" in line:
        at = line.index("--")
        line, given = line[:at], line[at + 1:]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("simclr")
    parser.add_argument("--cut", action="store_true", help="take an interface down in the middle of a run")
    parser.add_argument("--hosts", default="3,4")
    parser.add_argument("--rates", default="full,1gbit,100mbit")
    parser.add_argument("--images", type=int, default=64, help="of each machine, in a step")
    parser.add_argument("--steps", type=int, default=12)
    arguments = parser.parse_args(line)
    if os.geteuid() != 0:
        skip("network namespaces need root")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # then the networks are taken down too
    for tool in ("ip", "tc", "mpirun", "unshare", "taskset"):
        if not shutil.which(tool):
            skip(f"there is no {tool}")
    simclr = pathlib.Path(arguments.simclr).resolve()
    hosts = [int(h) for h in arguments.hosts.split(",")]
    epoch = 3 if arguments.cut else arguments.steps + 1  # steps: a checkpoint each, or none
    options = ["--data", "synthetic", "--synthetic-images", arguments.images * max(hosts) * epoch, "--image-size", 32, "--depth", 18,
               "--width", "0.5", "--threads", 1, "--knn-every", 0, "--diagnostics-images", 0, "--no-tensorboard", *given]
    options = [str(o) for o in options]
    try:
        cluster = Cluster(2, "100mbit")
    except subprocess.CalledProcessError as failure:
        skip(f"{' '.join(map(str, failure.cmd))}: {failure.stderr.strip()}")
    cluster.close()
    if arguments.cut:
        sys.exit(not cut(simclr, options, hosts[0], arguments.images))
    cluster = Cluster(2, "full")
    try:
        free_rate, delay = cluster.link()
    finally:
        cluster.close()
    print(f"{len(PROCESSORS)} processors, load {os.getloadavg()[0]:.1f} at the start; {' '.join(options)}; {arguments.images} images a "
          f"machine, medians of {arguments.steps - 1} steps\n")
    alone = plan(simclr, options, arguments.images, 1, 0, 0)["step_seconds"]
    print(f"one rank of one thread, planned: {alone:.3f} s a step\n")
    print("| machines | cables | rate; delay | step, s | predicted | off | MB to a machine a step | predicted | off |"
          " efficiency | predicted |\n|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    missed = {"time": 0, "bytes": 0}
    for count in hosts:
        for cables in arguments.rates.split(","):
            cluster = Cluster(count, cables)
            try:
                rate = free_rate if cables == "full" else bits(cables) / 8
                batch = arguments.images * count
                said = plan(simclr, options, batch, count, rate, delay)
                seconds, sent = train(cluster, simclr, options, batch, arguments.steps)
                first = train(cluster, simclr, options, batch, 2)[1]
            finally:
                cluster.close()
            step, want = statistics.median(seconds), predicted_step(said, count)
            wire = statistics.mean(s - f for s, f in zip(sent, first)) / (arguments.steps - 2)
            bytes_off, time_off = said["all"]["bytes"] / wire - 1, want / step - 1
            missed["bytes"] += abs(bytes_off) > BYTES_MARK
            missed["time"] += abs(time_off) > TIME_MARK
            crowd = crowd_of(count)
            print(f"| {count} | {cables} | {rate * 8e-9:.3g} Gbit/s; {delay * 1e6:.0f} us | {step:.3f} | {want:.3f} | "
                  f"{mark(time_off, TIME_MARK)} | {wire / 1e6:.2f} | {said['all']['bytes'] / 1e6:.2f} | "
                  f"{mark(bytes_off, BYTES_MARK)} | {100 * alone * crowd / step:.0f} % | {100 * alone * crowd / want:.0f} % |", flush=True)
    print(f"\nmarks missed: {missed['time']} of time (25 %), {missed['bytes']} of bytes (10 %); load {os.getloadavg()[0]:.1f} at the "
          "end")
    sys.exit(missed["bytes"] > 0)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as failure:
        sys.exit(f"cluster: {' '.join(map(str, failure.cmd))}\n{failure.stderr}")
