#!/usr/bin/env python3
"""A producer of rerank jobs with pyzmq and protobuf alone, written from protocol/PROTOCOL.md.

    producer.py call ipc:///tmp/producers "query" "document" "document"…
        Submits a job, waits for its outcome on a reply channel, acknowledges it.
    producer.py bare ipc:///tmp/intake "query" "document" "document"…
        Pushes the job without a call, and takes the outcome from a PULL socket: best effort.

Debian packages: python3-zmq python3-protobuf protobuf-compiler.
"""
import glob, os, struct, subprocess, sys, tempfile, uuid

import zmq

# The messages, generated from the .proto files of this repository.
PROTOCOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../protocol")
generated = tempfile.TemporaryDirectory()
subprocess.run(
    ["protoc", "-I", PROTOCOL, "--python_out", generated.name]
    + glob.glob(os.path.join(PROTOCOL, "rerankd/v1/*.proto")), check=True)
sys.path.insert(0, generated.name)
from rerankd.v1 import envelope_pb2, job_pb2, queue_pb2, replies_pb2

OPEN, MESSAGE, STATUS, WINDOW, PING, PONG, REJECT = 1, 2, 3, 5, 6, 7, 8
MORE, END = 1, 2
TIMEOUT_MS = 60_000


def job(query, documents, **spec):
    text = lambda text: job_pb2.Content(parts=[job_pb2.Part(text=text)])
    request = job_pb2.RerankRequest(query=text(query), documents=[text(d) for d in documents])
    return job_pb2.RerankJob(
        spec=job_pb2.JobSpec(model="builtin", idempotency_key=str(uuid.uuid4()), **spec),
        request=request.SerializeToString())


class Connection:
    """One DEALER to one queue; calls and streams are told apart by their ids."""

    def __init__(self, endpoint):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 500
        self.socket.connect(endpoint)
        self.last_call = 0

    def send(self, kind, call, *frames, flags=0):
        header = struct.pack("<2sBBHHQ", b"RK", 1, kind, flags, 0, call)
        self.socket.send_multipart([header, *frames])

    def open(self, method, message, flags=0):
        self.last_call += 1
        head = envelope_pb2.CallHead(method=method, timeout_ms=0 if flags == 0 else TIMEOUT_MS)
        self.send(OPEN, self.last_call, head.SerializeToString(), message.SerializeToString(),
                  flags=flags)
        return self.last_call

    def receive(self, call):
        """The next whole message of a call, and whether it was the last."""
        payload = b""
        while self.socket.poll(TIMEOUT_MS):
            header, *frames = self.socket.recv_multipart()
            _, _, kind, flags, _, of = struct.unpack("<2sBBHHQ", header)
            if kind == PING:
                self.send(PONG, 0)
            if of != call or kind == WINDOW:
                continue
            if kind in (STATUS, REJECT):
                status = envelope_pb2.CallStatus.FromString(frames[0])
                if status.code:
                    raise RuntimeError(f"{status.code}: {status.message}")
            payload += frames[-1] if kind == MESSAGE else b"".join(frames[1:])
            if kind == STATUS or not flags & MORE:
                return payload, kind == STATUS
        raise TimeoutError("no queue answers")

    def call(self, method, request, answer):
        payload, _ = self.receive(self.open(method, request, flags=END))
        return answer.FromString(payload)


def with_calls(endpoint, query, documents):
    queue = Connection(endpoint)
    channel = "producer-" + str(uuid.uuid4())
    submit = queue_pb2.SubmitRequest(jobs=[job(query, documents, reply_channel=channel)])
    submitted = queue.call("/rerankd.v1.JobQueue/Submit", submit, queue_pb2.SubmitResponse)
    if submitted.outcomes[0].HasField("error"):
        raise RuntimeError(submitted.outcomes[0].error.message)

    # From here on the job is safe. Its outcome comes at least once, until it is acknowledged.
    stream = queue.open("/rerankd.v1.Replies/Receive",
                        replies_pb2.ReceiveRequest(channel=channel, credit=1))
    outcome, recorded = None, False
    while not recorded:
        payload, _ = queue.receive(stream)
        response = replies_pb2.ReceiveResponse.FromString(payload)
        for delivery in response.deliveries:
            outcome = delivery.outcome
            acknowledgement = replies_pb2.ReceiveRequest(acknowledged=[
                replies_pb2.Acknowledgement(job_id=outcome.job_id, attempts=outcome.attempts)])
            queue.send(MESSAGE, stream, acknowledgement.SerializeToString())
        recorded = submitted.outcomes[0].job_id in response.recorded_job_ids
    queue.send(MESSAGE, stream, flags=END)
    queue.receive(stream)
    return outcome


def bare(intake, query, documents):
    context = zmq.Context.instance()
    answers = context.socket(zmq.PULL)
    folder = tempfile.TemporaryDirectory()
    reply_to = "ipc://" + os.path.join(folder.name, "outcomes")
    answers.bind(reply_to)
    jobs = context.socket(zmq.PUSH)
    jobs.connect(intake)
    jobs.send(job(query, documents, reply_to=reply_to).SerializeToString())
    if not answers.poll(TIMEOUT_MS):
        raise TimeoutError("no outcome was pushed")
    return job_pb2.JobOutcome.FromString(answers.recv())


if __name__ == "__main__":
    if len(sys.argv) < 5 or sys.argv[1] not in ("call", "bare"):
        sys.exit(__doc__)
    way = with_calls if sys.argv[1] == "call" else bare
    outcome = way(sys.argv[2], sys.argv[3], sys.argv[4:])
    if outcome.HasField("error"):
        sys.exit(f"{outcome.error.code}: {outcome.error.message}")
    for ranked in job_pb2.RerankResult.FromString(outcome.result).results:
        print(f"{ranked.relevance_score:.4f}  {sys.argv[4 + ranked.index]}")
