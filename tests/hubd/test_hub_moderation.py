"""What outsiders may say in a repository, and how its owners get rid of it."""

from __future__ import annotations

import warnings

import pytest
from huggingface_hub import CommitOperationAdd
from huggingface_hub.errors import HfHubHTTPError

from harness.hubd.storage.discussions import OPEN_LIMIT, TEXT_LIMIT


def hide(who, repo: str, number: int, comment: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it cannot be undone
        return who.hide_discussion_comment(repo, number, comment)


def test_comments_are_edited_by_their_author_and_hidden_by_owners(api, bob):
    repo = api.create_repo("ada/talk").repo_id
    number = bob.create_discussion(repo, title="t", description="an advertisement").num
    comment = bob.get_discussion_details(repo, number).events[0]
    with pytest.raises(HfHubHTTPError, match="403"):
        api.edit_discussion_comment(repo, number, comment.id, new_content="words in his mouth")
    assert bob.edit_discussion_comment(repo, number, comment.id, new_content="a bigger one").edited
    assert hide(api, repo, number, comment.id).hidden
    shown = api.get_discussion_details(repo, number).events[0]
    assert (shown.hidden, "bigger" in str(shown._event)) == (True, False)
    other = api.comment_discussion(repo, number, comment="please do not")
    with pytest.raises(HfHubHTTPError, match="403"):
        hide(bob, repo, number, other.id)


def test_a_deleted_pull_request_is_gone_with_its_commits_and_its_number_is_not_given_again(hub, api, bob):
    import httpx2

    repo = api.create_repo("ada/unwanted").repo_id
    add = CommitOperationAdd("spam.txt", b"spam")
    opened = bob.create_commit(repo, [add], commit_message="spam", create_pr=True)
    assert bob.file_exists(repo, "spam.txt", revision=opened.oid)
    url = f"{hub.url}/api/models/{repo}/discussions/{opened.pr_num}"
    assert httpx2.delete(url, headers={"Authorization": "Bearer hf_bob_write"}).status_code == 403
    assert httpx2.delete(url, headers={"Authorization": f"Bearer {hub.token}"}).status_code == 200
    for revision in (opened.oid, f"refs/pr/{opened.pr_num}"):
        with pytest.raises(HfHubHTTPError, match="404"):
            api.list_repo_files(repo, revision=revision)
    assert list(api.get_repo_discussions(repo)) == []
    assert api.create_discussion(repo, title="next").num == opened.pr_num + 1


def test_an_outsider_opens_so_many_discussions_and_says_so_much_and_no_more(api, bob):
    repo = api.create_repo("ada/flooded").repo_id
    for number in range(OPEN_LIMIT):
        bob.create_discussion(repo, title=f"{number}")
    add = CommitOperationAdd("x.txt", b"x")
    for attempt in (
        lambda: bob.create_discussion(repo, title="one more"),
        lambda: bob.create_commit(repo, [add], commit_message="one more", create_pr=True),
    ):
        with pytest.raises(HfHubHTTPError, match="403"):
            attempt()
    with pytest.raises(HfHubHTTPError, match="413"):
        bob.comment_discussion(repo, 1, comment="x" * (TEXT_LIMIT + 1))
    bob.change_discussion_status(repo, 1, "closed")
    bob.create_discussion(repo, title="one more")
    api.create_discussion(repo, title="owners are not counted")
