"""Drives a running gateway with the clients that people use, and fails at the first surprise.

    gateway_clients.py BASE_URL TOKEN
"""

import sys

import cohere
import openai
import requests

DOCUMENTS = [
    "Bread is made of flour.",
    "Paris is the capital of France.",
    "The Eiffel Tower was built in 1889.",
]
QUERY = "What is the capital of France?"
MODEL = "builtin"


def with_requests(base_url: str, token: str) -> None:
    """As the hub's own documentation does it."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    models = requests.get(f"{base_url}/v1/models", headers=headers, timeout=60)
    assert models.status_code == 200, models.text
    assert [(model["id"], model["object"]) for model in models.json()["data"]] == [
        (MODEL, "model")
    ], models.text

    body = {"model": MODEL, "query": QUERY, "documents": DOCUMENTS, "top_n": 2}
    response = requests.post(f"{base_url}/v1/rerank", headers=headers, json=body, timeout=60)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert [result["index"] for result in answer["results"]][0] == 1, answer
    assert len(answer["results"]) == 2, answer
    for result in answer["results"]:
        assert result["document"]["text"] == DOCUMENTS[result["index"]], answer
        assert 0 <= result["relevance_score"] <= 1, answer
    assert answer["usage"]["total_tokens"] > 0, answer

    refused = requests.post(f"{base_url}/v1/rerank", json=body, timeout=60)
    assert refused.status_code == 401, refused.text
    body["model"] = "no-such-model"
    unknown = requests.post(f"{base_url}/v1/rerank", headers=headers, json=body, timeout=60)
    assert unknown.status_code == 404, unknown.text
    assert unknown.json()["error"]["code"] == "model_not_found", unknown.text


def with_cohere(base_url: str, token: str) -> None:
    client = cohere.ClientV2(api_key=token, base_url=base_url)
    answer = client.rerank(model=MODEL, query=QUERY, documents=DOCUMENTS, top_n=2)
    assert [result.index for result in answer.results][0] == 1, answer
    assert len(answer.results) == 2, answer
    assert answer.meta.billed_units.search_units == 1, answer
    try:
        client.rerank(model="no-such-model", query=QUERY, documents=DOCUMENTS)
    except cohere.errors.NotFoundError:
        pass
    else:
        raise AssertionError("an unknown model was ranked")


def with_openai(base_url: str, token: str) -> None:
    client = openai.OpenAI(api_key=token, base_url=f"{base_url}/v1", max_retries=0)
    assert [model.id for model in client.models.list()] == [MODEL]
    try:
        openai.OpenAI(api_key="wrong", base_url=f"{base_url}/v1", max_retries=0).models.list()
    except openai.AuthenticationError as error:
        assert error.code == "invalid_api_key", error
    else:
        raise AssertionError("a wrong token was let in")


def main() -> None:
    base_url, token = sys.argv[1:]
    for client in (with_requests, with_cohere, with_openai):
        client(base_url, token)
        print(client.__name__, "ok")


main()
