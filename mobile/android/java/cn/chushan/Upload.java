package cn.chushan;

import android.app.Notification;
import android.app.NotificationChannel;
import android.app.NotificationManager;
import android.app.Service;
import android.content.Context;
import android.content.Intent;
import android.os.Build;
import android.os.IBinder;

/**
 * Keeps the app's process alive while a long upload runs and the cadre uses another app.
 *
 * It does nothing itself: the sync is a thread of the app. python-for-android's own services are
 * processes of their own, which would need the key of the database handed to them and would write
 * beside the app. Android 15 ends it after six hours of a day; the sync then breaks off as without
 * signal and resumes. The notification says nothing of anybody.
 */
public class Upload extends Service {
    private static final String CHANNEL = "upload";
    private static final int ID = 4123;
    private static final String WORDS = "words";
    private static final String END = "end";

    public static void begin(Context context, String words) {
        Intent intent = new Intent(context, Upload.class).putExtra(WORDS, words);
        if (Build.VERSION.SDK_INT >= 26) {
            context.startForegroundService(intent);
        } else {
            context.startService(intent);
        }
    }

    /**
     * Ends it by a message that comes after the one of its beginning: Android ends the app where a
     * service is stopped before it has shown its notification.
     */
    public static void end(Context context) {
        try {
            context.startService(new Intent(context, Upload.class).setAction(END));
        } catch (IllegalStateException alreadyEnded) {
            // Android has ended it, and the app may start nothing from behind.
        }
    }

    @Override
    public int onStartCommand(Intent intent, int flags, int startId) {
        if (END.equals(intent.getAction())) {
            stopSelf();
        } else {
            startForeground(ID, notification(intent.getStringExtra(WORDS)));
        }
        return START_NOT_STICKY; // Killed all the same: the app resumes when it is opened.
    }

    private Notification notification(String words) {
        Notification.Builder builder;
        if (Build.VERSION.SDK_INT >= 26) {
            NotificationManager manager =
                (NotificationManager) getSystemService(Context.NOTIFICATION_SERVICE);
            manager.createNotificationChannel(
                new NotificationChannel(CHANNEL, words, NotificationManager.IMPORTANCE_LOW));
            builder = new Notification.Builder(this, CHANNEL);
        } else {
            builder = new Notification.Builder(this);
        }
        return builder
            .setContentTitle(words)
            .setSmallIcon(android.R.drawable.stat_sys_upload)
            .setOngoing(true)
            .build();
    }

    public void onTimeout(int startId, int type) {
        stopSelf(); // Android 15 asks once, then ends the app.
    }

    @Override
    public IBinder onBind(Intent intent) {
        return null;
    }
}
