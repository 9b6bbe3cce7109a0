"""The envelope of PROTOCOL.md in Python: a second codec, written from the page and not from the Swift
one. `make` writes the vectors with it and `replay` checks it against them."""

import atexit
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
PROTO = HERE.parent


def generated():
    """The modules that protoc makes of the .proto files."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    files = sorted(str(path) for path in (PROTO / "rerankd/v1").glob("*.proto"))
    subprocess.run(["protoc", "-I", str(PROTO), f"--python_out={folder}", *files], check=True)
    sys.path.insert(0, folder)
    from rerankd.v1 import envelope_pb2

    return envelope_pb2


pb = generated()

VERSION = 1
KINDS = {
    "OPEN": 1, "MESSAGE": 2, "STATUS": 3, "CANCEL": 4, "WINDOW": 5, "PING": 6, "PONG": 7, "REJECT": 8,
}
FLAGS = {"MORE": 1, "END": 2}
FRAMES = {1: (2, 3), 2: (1, 2), 3: (2, 3), 4: (1, 1), 5: (2, 2), 6: (1, 1), 7: (1, 1), 8: (2, 2)}

FRAME_BYTES_MAX = 1 << 20
MESSAGE_BYTES_MAX = 64 << 20
HEAD_BYTES_MAX = 16 << 10
METADATA_ENTRIES_MAX = 32
METADATA_BYTES_MAX = 8 << 10
STATUS_BYTES_MAX = 64 << 10


class Refused(Exception):
    """What a REJECT would say."""

    def __init__(self, reason, frame, call_id=0):
        super().__init__(f"{reason} in frame {frame}")
        self.reason, self.frame, self.call_id = reason, frame, call_id


def header(kind, call_id, flags=0, version=VERSION, reserved=0):
    return struct.pack("<2sBBHHQ", b"RK", version, kind, flags, reserved, call_id)


def encode(means):
    """Frames of what a vector says."""
    kind = KINDS[means["kind"]]
    flags = sum(FLAGS[name] for name in means.get("flags", []))
    frames = [header(kind, int(means["call_id"]), flags)]
    if "head" in means:
        frames.append(pb.CallHead(**means["head"]).SerializeToString(deterministic=True))
    if "status" in means:
        frames.append(pb.CallStatus(**means["status"]).SerializeToString(deterministic=True))
    if "window_bytes" in means:
        frames.append(struct.pack("<I", means["window_bytes"]))
    if means.get("payload") is not None:
        frames.append(bytes.fromhex(means["payload"]))
    return frames


def decode(frames):
    """What the frames mean: a dictionary as in the vectors, messages still protobuf objects."""
    first = frames[0] if frames else b""
    if len(first) < 3 or first[:2] != b"RK":
        raise Refused("NOT_AN_ENVELOPE", 0)
    if first[2] != VERSION:
        raise Refused("UNSUPPORTED_VERSION", 0)
    if len(first) != 16:
        raise Refused("NOT_AN_ENVELOPE", 0)
    _, _, kind, bits, _, call_id = struct.unpack("<2sBBHHQ", first)
    if kind not in FRAMES:
        raise Refused("UNKNOWN_KIND", 0, call_id)
    name = next(name for name, number in KINDS.items() if number == kind)
    if (call_id == 0) != (name in ("PING", "PONG")) and name != "REJECT":
        raise Refused("MALFORMED_MESSAGE", 0, call_id)
    least, most = FRAMES[kind]
    if not least <= len(frames) <= most:
        raise Refused("MALFORMED_MESSAGE", min(len(frames) - 1, most), call_id)
    flags = [flag for flag, bit in FLAGS.items() if bits & bit]
    means = {"kind": name, "call_id": call_id, "flags": flags, "payload": None}
    payload_at = {"OPEN": 2, "MESSAGE": 1, "STATUS": 2}.get(name)
    if payload_at is not None and len(frames) > payload_at:
        if len(frames[payload_at]) > FRAME_BYTES_MAX:
            raise Refused("MESSAGE_TOO_LARGE", payload_at, call_id)
        means["payload"] = frames[payload_at]
    if name in ("OPEN", "MESSAGE"):
        if "MORE" in flags and (means["payload"] is None or "END" in flags):
            raise Refused("MALFORMED_MESSAGE", 0, call_id)
        if name == "MESSAGE" and means["payload"] is None and "END" not in flags:
            raise Refused("MALFORMED_MESSAGE", 0, call_id)
    if name == "OPEN":
        means["head"] = parsed(pb.CallHead, frames[1], HEAD_BYTES_MAX, call_id)
        check_metadata(means["head"].metadata, call_id)
    if name in ("STATUS", "REJECT"):
        means["status"] = parsed(pb.CallStatus, frames[1], STATUS_BYTES_MAX, call_id)
    if name == "WINDOW":
        if len(frames[1]) != 4:
            raise Refused("MALFORMED_MESSAGE", 1, call_id)
        means["window_bytes"] = struct.unpack("<I", frames[1])[0]
    return means


def parsed(kind, frame, limit, call_id):
    if len(frame) > limit:
        raise Refused("MESSAGE_TOO_LARGE", 1, call_id)
    try:
        return kind.FromString(frame)
    except Exception:
        raise Refused("MALFORMED_MESSAGE", 1, call_id) from None


def check_metadata(metadata, call_id):
    if len(metadata) > METADATA_ENTRIES_MAX:
        raise Refused("MESSAGE_TOO_LARGE", 1, call_id)
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789-_.")
    if any(not key or set(key) - allowed for key in metadata):
        raise Refused("MALFORMED_MESSAGE", 1, call_id)
    if sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items()) > METADATA_BYTES_MAX:
        raise Refused("MESSAGE_TOO_LARGE", 1, call_id)


class Assembler:
    """Joins the fragments of one direction of one call."""

    def __init__(self):
        self.pending = None

    def take(self, means):
        """The whole message that is complete with this one, or None."""
        payload = means["payload"]
        if payload is None:
            if means["kind"] == "STATUS" and self.pending is not None and means["status"].code == 0:
                raise Refused("MALFORMED_MESSAGE", 0, means["call_id"])
            return None
        joined = (self.pending or b"") + payload
        if len(joined) > MESSAGE_BYTES_MAX:
            raise Refused("MESSAGE_TOO_LARGE", 1, means["call_id"])
        more = "MORE" in means["flags"] and means["kind"] != "STATUS"
        self.pending = joined if more else None
        return None if more else joined
