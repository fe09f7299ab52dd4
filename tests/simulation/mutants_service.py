"""Mutants of the ordinary worker."""

from __future__ import annotations

from tests.simulation.hunk import Hunk

MUTANTS: dict[str, list[Hunk]] = {
    "commit before durability": [
        Hunk(
            "worker/keeper.py",
            "            return master\n        master.write(self._store)\n",
            "            return master\n        self._late.append((master.key, master.data))\n",
        ),
        Hunk(
            "worker/keeper.py",
            "        claim = task.claim\n        previous",
            "        while self._late:\n            self._store.put(*self._late[0])\n            del self._late[0]\n"
            "        claim = task.claim\n        previous",
        ),
        Hunk(
            "worker/keeper.py",
            "        self._store, self._verdicts = store, Verdicts(store)\n",
            "        self._store, self._verdicts = store, Verdicts(store)\n        self._late: list = []\n",
        ),
        Hunk("worker/keeper.py", "return key if self._store.size(key) is None else None", "return None"),
    ],
    "metadata forgotten": [
        Hunk(
            "worker/ledger.py",
            "self._codec.encode(base, remaining[: bisect_left(remaining, top)], top)",
            "self._codec.encode(base, (), base)",
        )
    ],
    "offsets kept after an unknown outcome": [
        Hunk("worker/loop.py", "            self._forget_everything()\n", "            self._renew()\n"),
    ],
    "result outside the transaction": [
        Hunk(
            "worker/transaction.py",
            "self._retried(partial(producer.produce, message), deadline)",
            "self._broker.publisher().publish(message, lambda error: None)",
        )
    ],
    "an owner's own verdict taken for a duplicate": [
        Hunk(
            "worker/service.py",
            "        return self._by_verdict(task, found.verdict, now)\n",
            "        if found.verdict is not None and found.verdict.owner == task.claim.owner:\n"
            "            return self._results.duplicate(task)\n"
            "        return self._by_verdict(task, found.verdict, now)\n",
        )
    ],
    "a loser that emits": [
        Hunk("worker/judge.py", "        return Decision.DUPLICATE\n", "        return Decision.EMIT\n"),
    ],
    "a failure without verdict": [
        Hunk(
            "worker/keeper.py",
            "        standing = self._verdicts.settle(verdict)\n",
            "        standing = verdict if isinstance(state, Failed) else self._verdicts.settle(verdict)\n",
        )
    ],
    "empty group metadata sent": [
        Hunk("worker/transaction.py", "return metadata if before and before == after else None", "return metadata"),
    ],
    "fingerprint that contains the recipe": [
        Hunk(
            "worker/pipeline.py",
            "        for task in tasks:\n            tenure.tasks[task.record.offset] = task\n",
            "        for task in tasks:\n            tenure.tasks[task.record.offset] = task\n"
            "            revision = self._parts.engine.profile.revision\n"
            "            task.claim = __import__('msgspec').structs.replace(\n"
            "                task.claim, fingerprint=task.claim.fingerprint + revision)\n",
        )
    ],
    "no tenure": [
        Hunk(
            "worker/loop.py",
            "                self._tenures[partition] = Tenure(partition)\n        self._count",
            "                self._known = getattr(self, '_known', {})\n"
            "                tenure = self._known.setdefault(partition, Tenure(partition))\n"
            "                tenure.ledger, tenure.paused = None, False\n"
            "                self._tenures[partition] = tenure\n        self._count",
        ),
        Hunk(
            "worker/loop.py",
            "            if tenure is not None:\n                tenure.alive = False\n"
            "                self._pipeline.drop(tenure)\n",
            "",
        ),
        Hunk("worker/ledger.py", "            del self._open[offset]\n", "            self._open.pop(offset, None)\n"),
    ],
    "commit in on_lost": [
        Hunk(
            "worker/loop.py",
            '        self._end(partitions)\n        self._count("lost", partitions)\n',
            "        self._commit(self._limits.revoke_timeout)\n"
            '        self._end(partitions)\n        self._count("lost", partitions)\n',
        )
    ],
    "expiry judged before the verdict": [
        Hunk(
            "worker/judge.py",
            "    if standing is None:\n        return Decision.EXPIRED if claim.expires_at is not None and "
            "claim.expires_at <= now else Decision.WORK\n",
            "    if claim.expires_at is not None and claim.expires_at <= now:\n        return Decision.EXPIRED\n"
            "    if standing is None:\n        return Decision.WORK\n",
        )
    ],
    "verification skipped after a retry": [
        Hunk(
            "worker/mastering.py",
            "        if flaw is not None:\n",
            "        if flaw is not None and task.speeches < 2:\n",
        ),
    ],
    "rejected speech tried with the same seed": [
        Hunk("worker/verify.py", "seed=(utterance.seed + 1) % (MAX_SEED + 1)", "seed=utterance.seed"),
    ],
    "a rendered text that decides identity": [
        Hunk(
            "worker/pipeline.py",
            "        for task in tasks:\n            tenure.tasks[task.record.offset] = task\n",
            "        for task in tasks:\n            tenure.tasks[task.record.offset] = task\n"
            "            try:\n"
            "                words = self._parts.utterances.of(task.request, task.claim.fingerprint)[0].text\n"
            "            except Exception:\n"
            "                words = ''\n"
            "            task.claim = __import__('msgspec').structs.replace(\n"
            "                task.claim, fingerprint=task.claim.fingerprint + words)\n",
        )
    ],
    "the cost of a rendered text not taken out again": [
        Hunk(
            "worker/pipeline.py",
            "            task.cost = cost(task.request, task.utterance.text)\n            self._load += task.cost\n",
            "            task.cost = cost(task.request, task.utterance.text)\n",
        )
    ],
    "a prompt that cannot be had now taken for lost": [
        Hunk("worker/prompts.py", "        except StoreRejected as error:\n", "        except Exception as error:\n"),
    ],
    "spoken without waiting for its prompt": [
        Hunk("worker/pipeline.py", "        if task.request.prompt is None:\n", "        if True:\n"),
    ],
    "a schema that is not here taken for garbage": [
        Hunk(
            "worker/task.py",
            "        except RequestFailed as error:\n            failure = error\n",
            "        except RequestFailed as error:\n            failure = error\n"
            "        except Exception as error:\n            failure = RequestFailed('undecodable', str(error))\n",
        )
    ],
    "records dropped while the registry is away": [
        Hunk("worker/unread.py", "if seconds := self._backoff.wait(loading):", "if seconds := 0.0:"),
    ],
    "unread records that outlive their tenure": [
        Hunk("worker/pipeline.py", "        self._unread.drop(tenure)\n", ""),
    ],
    "last+1 instead of position()": [
        Hunk("worker/loop.py", "            self._pass_markers()\n", ""),
    ],
}
