"""Users whose passwords cost little to check, of the file and of the store."""

from argon2 import PasswordHasher

from deviceflow.config import User
from deviceflow.store.accounts import Account

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""The cheapest parameters that Argon2 knows."""

HASH = CHEAP.hash("correct horse")
ADA_ACCOUNT = Account(username="ada", sub="sub-ada", password_hash=HASH, name="Ada Lovelace")
FILE_USERS = (
    User(username="bob", password_hash=HASH, email="bob@example.com"),
    User(username="eve", password_hash=HASH, sub="sub-eve", disabled=True),
)
