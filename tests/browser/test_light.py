"""Light and steady: the bytes of the first load, a word from a cold server, and no page that moves while it loads."""

import base64
import gzip
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.waiting import settled

ROOT = Path(__file__).parents[2]
