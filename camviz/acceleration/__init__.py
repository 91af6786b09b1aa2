"""Faster repeated passes: conv-BN fusion, Winograd convolutions, partial forward passes."""
