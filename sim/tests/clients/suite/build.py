"""Builds what the suite runs, into `target/`: one function a client, which returns its command line."""

import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).parent.parent
ROOT = HERE.parent.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").absolute()
OUT = TARGET / "clients"
JARS = pathlib.Path(os.environ.get("KAFKA_TOOLS_CLASSPATH") or ROOT / "target/kafka-tools").absolute()

# A short life does not repay the optimising compiler, and a small heap leaves room for the others.
JAVA = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-Xshare:auto"]


def broker():
    """The broker with all its checks on; BROKER names another binary, for instance a release build."""
    if chosen := os.environ.get("BROKER"):
        return chosen.split()
    sh("cargo", "build", "--quiet", "--locked", "-p", "sim", "--example", "broker", cwd=ROOT)
    return [str(TARGET / "debug/examples/broker")]


def jars():
    if not JARS.is_dir():
        sh("mvn", "-q", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={JARS}")
    return f"{JARS}/*"


def java():
    classes = OUT / "java"
    sources = sorted(HERE.glob("java/*.java"))
    if stale(classes, sources + [HERE / "pom.xml"]):
        shutil.rmtree(classes, ignore_errors=True)
        sh("javac", "-Xlint:all,-try", "-Werror", "-proc:none", "-d", str(classes), "-cp", jars(), *map(str, sources))
        fresh(classes)
    return [*JAVA, "-cp", f"{classes}:{jars()}", "Main"]


def librdkafka():
    venv, wanted = OUT / "librdkafka", HERE / "librdkafka/requirements.txt"
    if stale(venv, [wanted]):
        shutil.rmtree(venv, ignore_errors=True)
        sh(sys.executable, "-m", "venv", str(venv))
        sh(str(venv / "bin/pip"), "install", "--quiet", "-r", str(wanted))
        fresh(venv)
    return [str(venv / "bin/python"), "-B", str(HERE / "librdkafka/main.py")]


def go(name):
    def build():
        binary = OUT / name
        sh("go", "build", "-o", str(binary), ".", cwd=HERE / name)
        return [str(binary)]
    return build


def kafkajs():
    folder = OUT / "kafkajs"
    lock = HERE / "kafkajs/package-lock.json"
    if stale(folder, [lock]):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in (lock, HERE / "kafkajs/package.json"):
            shutil.copy(file, folder)
        sh("npm", "ci", "--silent", "--no-audit", "--no-fund", cwd=folder)
        fresh(folder)
    return ["env", f"NODE_PATH={folder}/node_modules", "KAFKAJS_NO_PARTITIONER_WARNING=1",
            "node", str(HERE / "kafkajs/main.js")]


def tools():
    archive = OUT / "tools.jsa"
    if archive.exists() and archive.stat().st_mtime < JARS.stat().st_mtime:
        archive.unlink()
    return ["env", f"CLASSPATH={jars()}", f"TOOLS_ARCHIVE={archive}", sys.executable, "-B", str(HERE / "tools/main.py")]


CLIENTS = {
    "java": java,
    "librdkafka": librdkafka,
    "franz-go": go("franz-go"),
    "kafka-go": go("kafka-go"),
    "kafkajs": kafkajs,
    "tools": tools,
}


def stale(built, sources):
    stamp = built / ".built"
    return not stamp.exists() or any(source.stat().st_mtime > stamp.stat().st_mtime for source in sources)


def fresh(built):
    (built / ".built").touch()


def sh(*command, cwd=None):
    try:
        subprocess.run(command, cwd=cwd, check=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise SystemExit(f"{command[0]} is missing: the suite cannot build") from None
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{' '.join(command)}: exit status {error.returncode}") from None
