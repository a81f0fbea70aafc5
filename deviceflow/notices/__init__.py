"""Notices to people: a device has been connected to your account.

Contract: what tells of a device does not wait, whatever a receiver does. Each channel has a bounded
queue, and repeats what fails a few times; what is lost is counted and logged. No notice is kept
over the end of a worker. No link, secret or address of mail is logged.
"""
