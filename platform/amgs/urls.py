"""The site's addresses: pages at the root, the API under ``/api/``."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("amgs.api.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("", include("amgs.web.urls")),
]
